"""Above the GPU: hosts, supplies, racks, feeds, cooling, sleeping nodes, and what energy costs."""
