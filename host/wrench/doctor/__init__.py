"""What is wrong with a computer, a cable or a board, and what to do about it.

`computer` looks at what is on the way to the board, `link` at five seconds of what comes from it;
`examination` puts the findings in order.
"""

from wrench.doctor.examination import examine
from wrench.doctor.finding import Finding, Verdict

__all__ = ["Finding", "Verdict", "examine"]
