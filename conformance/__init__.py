"""What is assumed of AWS, put to the test in an account of yours: `python -m conformance`.

    check       what each check has: the assumption, what it makes and looks at, what that tells
    checks/     the checks, a family in each file, and the table of all of them
    by_hand     what would take hours, or more than some cents: the steps for a person
    lab         what a check works with: clients, names, patience, and a list of what it owes
    things      each kind of thing that is made, and how it is removed
    making      makes them
    account     whose account it is, and whether it may be used
    leftovers   finds by tag what an earlier run has left
    run         one check after the other, and everything removed whatever happens
    report      the results as Markdown and JSON
    page        docs/conformance.md

It is neither shipped nor imported by anything that is. docs/conformance.md tells how to run it.
"""
