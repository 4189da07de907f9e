"""The stories: each flow reads like the sentence that describes it."""
