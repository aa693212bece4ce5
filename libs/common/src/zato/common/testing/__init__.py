"""What the tests of all parts share: real servers to test against, waiting, and one suite per contract."""
