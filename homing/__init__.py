"""Homing: an SMS/MMS gateway for the return path.

What the mobile network says back (delivery reports, received messages) comes home to the
customer's application, durably. ``docs/explanation/house.md`` shows where things live.
"""

__version__ = "0.1.0"
