"""Apply: the loop that makes the media match the plan, and the paid step. Adapters come through ports only."""
