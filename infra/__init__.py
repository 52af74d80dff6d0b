"""The deployment: the policy rendered as CDK stacks.

Mirrors the functions room for room. Reads the policy and the wiring, never an adapter; makes no AWS
call and reads neither git nor a clock, so the same policy gives the same template.
"""
