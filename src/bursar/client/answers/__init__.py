"""What the server answers, as frozen structs.

Amounts are whole minor units. What a newer server says besides is ignored; kinds and states are
plain text, so that one this client has not heard of can be read.
"""
