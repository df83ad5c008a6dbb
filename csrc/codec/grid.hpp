// The values that samples of a segment can take, in order: a sample's rank is its place among them. Positions are in
// units of 16-bit samples whatever the bit depth. Either a plain range with a constant step, or a list.
#pragma once

struct Grid {
    int count;
    double first, unit;         // of a plain range: value of rank 0, and the step
    const double *values, *bounds;  // of a list: [count], and [count + 1], half-way between neighbours; else null
    double starts[256];             // least sample of each mu-law code
    int threshold[256];             // its rank
};

inline double value_of(const Grid& g, int rank) { return g.values ? g.values[rank] : g.first + rank * g.unit; }
inline double bound_of(const Grid& g, int rank) { return g.values ? g.bounds[rank] : g.first + (rank - 0.5) * g.unit; }

// Places the mu-law codes' intervals among the ranks.
inline void place_codes(Grid& g) {
    int rank = 0;
    for (int code = 0; code < 256; ++code) {
        const double least = g.starts[code];
        if (g.values) {
            while (rank < g.count && g.values[rank] < least) ++rank;
        } else {
            const double place = (least - g.first) / g.unit;
            rank = place <= 0.0 ? 0 : place >= g.count ? g.count : static_cast<int>(place);
            while (rank < g.count && g.first + rank * g.unit < least) ++rank;
        }
        g.threshold[code] = rank;
    }
}
