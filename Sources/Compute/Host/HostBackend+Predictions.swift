package import Tensors

extension HostBackend {
    /// Rows of one task.
    private static let predictionTaskRowCount = 256

    package func predictionErrors(
        _ prediction: Tensor, bias: Tensor, target: Tensor, x: Tensor, inputWeights: Tensor, outputWeights: Tensor,
        into result: Tensor
    ) {
        let taskRowCount = HostBackend.predictionTaskRowCount
        lanes((prediction.rows + taskRowCount - 1) / taskRowCount) { task, _ in
            let rows = task * taskRowCount..<min((task + 1) * taskRowCount, prediction.rows)
            if prediction.elementType == .float32 {
                for row in rows {
                    let output = unsafe result.doubles + row * result.leadingDimension
                    let predicted = unsafe prediction.floats + row * prediction.leadingDimension
                    let wanted = unsafe target.floats + row * target.leadingDimension
                    let input = unsafe x.floats + row * x.leadingDimension
                    unsafe error(
                        predicted, bias.doubles, wanted, outputWeights.doubles, prediction.columns, into: output)
                    unsafe output[1] = weightedNorm(input, inputWeights.doubles, x.columns)
                }
            } else {
                for row in rows {
                    let output = unsafe result.doubles + row * result.leadingDimension
                    let predicted = unsafe prediction.doubles + row * prediction.leadingDimension
                    let wanted = unsafe target.doubles + row * target.leadingDimension
                    let input = unsafe x.doubles + row * x.leadingDimension
                    unsafe error(
                        predicted, bias.doubles, wanted, outputWeights.doubles, prediction.columns, into: output)
                    unsafe output[1] = weightedNorm(input, inputWeights.doubles, x.columns)
                }
            }
        }
    }

    /// ‖e‖ and √Σ e²·weights with e = prediction + bias - target, as numbers 0 and 2 of the result.
    @inline(__always)
    private func error<Element: BinaryFloatingPoint>(
        _ prediction: UnsafePointer<Element>, _ bias: UnsafePointer<Double>, _ target: UnsafePointer<Element>,
        _ weights: UnsafePointer<Double>, _ count: Int, into result: UnsafeMutablePointer<Double>
    ) {
        var (sums, weightedSums) = (SIMD4<Double>.zero, SIMD4<Double>.zero)
        let wholeCount = count & ~3
        for i in stride(from: 0, to: wholeCount, by: 4) {
            let difference = unsafe Loops.doubles(prediction + i) - Loops.doubles(target + i) + Loops.doubles(bias + i)
            sums += difference * difference
            weightedSums += unsafe difference * difference * Loops.doubles(weights + i)
        }
        var (sum, weightedSum) = (sums.sum(), weightedSums.sum())
        for i in wholeCount..<count {
            let difference = unsafe Double(prediction[i]) - Double(target[i]) + bias[i]
            sum += difference * difference
            weightedSum += unsafe difference * difference * weights[i]
        }
        unsafe result[0] = sum.squareRoot()
        unsafe result[2] = weightedSum.squareRoot()
    }

    /// √Σ x²·weights.
    @inline(__always)
    private func weightedNorm<Element: BinaryFloatingPoint>(
        _ x: UnsafePointer<Element>, _ weights: UnsafePointer<Double>, _ count: Int
    ) -> Double {
        var sums = SIMD4<Double>.zero
        let wholeCount = count & ~3
        for i in stride(from: 0, to: wholeCount, by: 4) {
            let value = unsafe Loops.doubles(x + i)
            sums += unsafe value * value * Loops.doubles(weights + i)
        }
        var sum = sums.sum()
        for i in wholeCount..<count { sum += unsafe Double(x[i]) * Double(x[i]) * weights[i] }
        return sum.squareRoot()
    }
}
