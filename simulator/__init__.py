"""The simulator room: a stand-in Quay on loopback, for the demo, the tests and the benches. It knows nothing of ours."""
