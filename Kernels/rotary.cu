// Rotary position embedding: pairs of elements of every head are turned by an angle of their own for each position.
#include "operations.h"
#include "tensors.h"

namespace straightedge {
namespace {

// One lane a pair. Element i goes with i + pairs (halves) or 2i with 2i + 1 (interleaved).
template <typename T>
__global__ void rotate_kernel(Matrix<T> x, Matrix<const float> cosines, Matrix<const float> sines,
                              const std::int32_t *positions, std::int64_t headWidth, bool isInterleaved) {
    const std::int64_t pairCount = cosines.columns, headCount = x.columns / headWidth;
    const std::int64_t count = x.rows * headCount * pairCount;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        const std::int64_t pair = i % pairCount, head = i / pairCount % headCount, row = i / pairCount / headCount;
        T *elements = x.row(row) + head * headWidth;
        T &first = elements[isInterleaved ? 2 * pair : pair];
        T &second = elements[isInterleaved ? 2 * pair + 1 : pair + pairCount];
        const float cosine = cosines.row(positions[row])[pair], sine = sines.row(positions[row])[pair];
        const float a = to_float(first), b = to_float(second);
        first = from_float<T>(a * cosine - b * sine);
        second = from_float<T>(b * cosine + a * sine);
    }
}

} // namespace

void rotate(ck_context &context, ck_tensor x, ck_tensor cosines, ck_tensor sines, const std::int32_t *positions,
            std::int64_t headWidth, std::int32_t isInterleaved) {
    const std::int64_t count = x.rows * (x.columns / headWidth) * cosines.columns;
    if (count == 0) return;
    const Scratch places(context, positions, x.rows * static_cast<std::int64_t>(sizeof *positions));
    with_activation_type(x.type, [&](auto type) {
        using T = typename decltype(type)::type;
        CHECK(launch(rotate_kernel<T>, element_grid(context, count), dim3(blockLaneCount), 0, context.stream,
                     matrix<T>(x), matrix<const float>(cosines), matrix<const float>(sines),
                     places.as<const std::int32_t>(), headWidth, isInterleaved != 0));
    });
}

} // namespace straightedge
