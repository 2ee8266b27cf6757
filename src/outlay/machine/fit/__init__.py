"""The fit of kernel surfaces to measured kernel times: for developers, never needed to answer a question."""
