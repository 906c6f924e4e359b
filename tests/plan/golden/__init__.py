"""What ongpu does on each distribution, as readable files in plans/: `python -m tests.plan.golden` writes them anew.

Each is made from a spec and a snapshot: the plan's steps are run against stand-ins for the host's programs, which write
down how they were called. Calls that only look (apt-cache, rpm -q, dnf repoquery, a simulation) are left out.
"""
