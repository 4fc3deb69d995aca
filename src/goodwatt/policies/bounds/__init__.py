"""What no policy can do better than: an energy floor and a linear relaxation. docs/design/bounds.md has the proof.

`pools` says what nodes draw at least, `operating` what a job needs at least for its work, `groups` puts jobs together,
`program` is the linear program, `energy_bounds` both bounds, `share` a run against them.
"""
