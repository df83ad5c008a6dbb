// Plain structs over raw buffers: the integer network, one stream's state, and the table of functions that every
// instruction set gives. Nothing here knows Python. The arithmetic is that of reference.py, bit for bit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace synth {

constexpr int kHop = 16;       // samples a frame
constexpr int kMaxOrder = 32;  // longest predictor
constexpr int kTile = 16;      // rows of a weight tile; 4 columns wide, 64 bytes
constexpr int kPad = 32;       // every block of units is padded to a multiple of this
constexpr int kLabels = 16;    // most label keys
constexpr int kMaxUnits = 1024, kMaxHead = 256, kMaxWindow = 256;
constexpr int kMaxHints = 8;   // most codes from outside that a sample reads

// A quantised matrix of `blocks` x `units` rows, packed for one instruction set: units in groups of `tiles` tiles, the
// blocks' tiles of a group interleaved by 4 columns. `start` (int32) holds the rounding term and what the bias of the
// input takes away, in the order of the tiles; `scale` is [blocks][padded].
// Where enough of its blocks of 16 rows x 4 columns are zero they are left out: then group g has the steps first[g] to
// first[g + 1], each one block of every tile, and `places` says which columns of the input they are for. Else `places` is null.
struct Matrix {
    const int8_t* weight;
    const int32_t* start;
    const int16_t* scale;
    const uint16_t* places;
    const int32_t* first;
    int blocks, tiles, units, padded, columns, shift;
};

struct PredictorWeights {
    int order;  // 16 or 32; 0 in a network of tokens, which has no predictor
    double start[kMaxOrder], powers[kHop];
    double decay, prior, floor;
};

// The least-squares predictor's state. `history`: newest sample first from index kHop - phase, so that the history of
// each sample of the frame is a view. `covariance` is [column][row]; only row >= column counts.
struct alignas(64) Predictor {
    double covariance[kMaxOrder * kMaxOrder];
    double history[kMaxOrder + kHop];
    double weights[kMaxOrder], correlation[kMaxOrder];
    double gains[kHop];
    double scale;
};

// All int16 vectors of gates are [3][padded units]. `stride` is not 0 where streams have a conditioning vector, `period`
// where codes are tokens: the code so long ago then is the predicted one, the place in the period the residual. With
// `hints` so many codes of each sample come from outside: the first is the predicted one, the second the residual, and
// the others have tables of their own. `sample_phase` is not null where the sample tier reads the phase of a pitch.
struct Model {
    int window, frame_units, frame_padded, sample_units, sample_padded, head_units, head_padded, labels;
    int stride, period, hints;
    Matrix frame_input, frame_recurrent, frame_output, sample_recurrent, head_dense;
    const int16_t *frame_input_bias, *frame_recurrent_bias, *frame_output_bias, *sample_recurrent_bias;
    const int16_t* frame_label[kLabels];
    int label_values[kLabels];
    const int16_t *sample_code, *sample_predicted, *sample_residual;  // [256][3][padded]
    const int16_t* sample_hint[kMaxHints];                            // the same, from the third on
    const int16_t* sample_phase;                                      // the same, by the phase's upper 8 bits
    const int16_t* head_predicted;                                    // [256][padded]
    // the tree in 17 tiles of 16 nodes: levels 0 to 3, then levels 4 to 7 below each of their 16 ends
    const int8_t* tree_weight;
    const int32_t* tree_start;
    const int16_t *tree_scale, *tree_bias;
    int tree_shift;
    int16_t sigmoid[3][8], tanh[3][8];
    const uint32_t *probability, *cost;  // [2048]
    PredictorWeights predictor;
};

// One stream. `phase`: samples done of the current frame, 0 to kHop (kHop: the next sample starts a frame).
// `window`: codes - 128, newest first from index kHop - phase.
struct State {
    uint64_t position;
    uint32_t seed, stream;
    int phase, residual;
    int labels[kLabels];
    int16_t* conditioning;  // added to the frame tier's gates; null where the network has none
    int16_t reflections[kMaxOrder];  // of the predictor, where the network is steered and its codes are samples
    uint32_t phase_start, phase_increment;  // of the pitch, 2^32 to a turn: at its vector's first sample; a sample
    int8_t* window;
    int16_t *frame, *condition, *sample;
    Predictor predictor;
    int16_t* sample_product;  // derived: the recurrent product of `sample`
};

// How a code is drawn. `eases_at_rest`: while the sound is at rest it is drawn no more strictly than by kRest.
struct DrawOptions {
    int64_t inverse_temperature;
    int top_k;
    uint64_t top_p;
    bool eases_at_rest = false;
};

// At rest the last kRestCodes codes lie within kRestSpan of each other. Stricter draws would stay there for good.
constexpr int kRestCodes = kHop, kRestSpan = 8;
constexpr DrawOptions kRest{4551, 64, (uint64_t{1} << 32) - (uint64_t{1} << 21)};

// What one instruction set gives. `tokens`: the same for networks of tokens and for those with hints. `gate_tiles`:
// tiles of a block in a group of a matrix of three blocks; `head_tiles`: most tiles in a group of the head's hidden
// layer; `biased`: products read the input + 128.
struct Api {
    const char* name;
    const Api* tokens;
    int gate_tiles, head_tiles;
    bool biased;
    void (*refresh)(const Model&, State&);  // computes what is derived
    // `count` samples of each of some streams, which share what they can
    void (*generate)(const Model&, State* const* states, uint8_t* const* codes, int streams, size_t count,
                     const DrawOptions&);
    void (*teacher_force)(const Model&, State* const* states, const uint8_t* const* codes, uint32_t* const* costs,
                          int streams, size_t count);
    // A stream that is followed from outside, sample by sample, `work` (work_bytes, aligned to 64, zeroed) going along:
    // the first call of all, where a stream stands anywhere; the next sample's hints, in a network that has some; its
    // hidden layer; the logits of one of the tree's 17 tiles, or the weights of all codes; past the code that it had.
    size_t work_bytes;
    void (*enter)(const Model&, State&, void* work);
    void (*set_hints)(const Model&, State&, void* work, const uint8_t* hints);
    void (*step)(const Model&, State&, void* work);
    void (*logits)(const Model&, const void* work, int tile, int16_t* out);
    void (*leaves)(const Model&, const void* work, uint32_t* out);  // [256]
    void (*advance)(const Model&, State&, void* work, int code);
    void (*distribution)(const Model&, State&, uint32_t* leaves);  // spoils the state: give it a copy
    void (*product)(const Model&, State&, size_t count);  // the recurrent product alone, to be timed; spoils the state
    void (*predict_codes)(const PredictorWeights&, const uint8_t* codes, uint8_t* predicted, uint8_t* residual,
                          size_t count);
};

// The code drawn from 256 leaf weights with top-k and top-p and one 32-bit random number.
int draw_leaf(const uint32_t* leaves, const DrawOptions& draw, uint32_t random);

void reset_predictor(const PredictorWeights& weights, Predictor& state);

struct MulawTables {
    int16_t decode[256];
    uint8_t encode[65536];  // by sample + 32768
};
extern const MulawTables kMulaw;

}  // namespace synth
