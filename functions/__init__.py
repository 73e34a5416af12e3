"""Lambda entry points, one folder per role."""

import warnings

# An invocation that has nothing to count is no news; Powertools would print a warning into its log.
warnings.filterwarnings("ignore", message="No application metrics to publish")
