"""What should change on a host: spec x snapshot -> Plan. Pure, and the only truth about change (design D3)."""
