from tests.plan.golden.record import write

write()
