"""What the responder is made of: its licences, its bill of materials, its audit, its rebuild.

docs/supply-chain.md says what each is for, and when to run it.
"""
