"""
Runs of scheduled jobs, in the ODB: which scheduler leads, which fires it claimed, and what became of each.

    leadership      who may plan, in which epoch
    options         what of a job servers look at
    claims          planned fires, each written down once
    runs            started once, ended, tried again, lost with their server
    history         runs as people search for them, and for how long they are kept
    runner          invokes the job's service
    schedule        what services have run later
    rpc             the contract `Jobs`
    admin           the services zato.scheduler.*
"""
