/// A matrix in the judge's memory: plain Double, row by row.
struct Matrix: Sendable {
    let rows: Int
    let columns: Int
    var values: [Double]

    init(_ rows: Int, _ columns: Int, _ values: [Double]) {
        self.rows = rows
        self.columns = columns
        self.values = values
    }

    init(_ rows: Int, _ columns: Int, _ element: (_ row: Int, _ column: Int) -> Double) {
        self.rows = rows
        self.columns = columns
        values = []
        values.reserveCapacity(rows * columns)
        for row in 0..<rows {
            for column in 0..<columns { values.append(element(row, column)) }
        }
    }

    static func zeros(_ rows: Int, _ columns: Int) -> Matrix {
        Matrix(rows, columns, [Double](repeating: 0, count: rows * columns))
    }

    static func diagonal(_ elements: [Double]) -> Matrix {
        Matrix(elements.count, elements.count) { $0 == $1 ? elements[$0] : 0 }
    }

    subscript(_ row: Int, _ column: Int) -> Double {
        get { values[row * columns + column] }
        set { values[row * columns + column] = newValue }
    }

    var transposed: Matrix { Matrix(columns, rows) { self[$1, $0] } }
    var magnitudes: Matrix { Matrix(rows, columns, values.map(abs)) }
    /// The Frobenius norm.
    var norm: Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }

    func columns(_ range: Range<Int>) -> Matrix {
        Matrix(rows, range.count) { self[$0, range.lowerBound + $1] }
    }

    /// The sum of the products, term by term.
    func times(_ other: Matrix) -> Matrix {
        var result = Matrix.zeros(rows, other.columns)
        let width = other.columns
        for row in 0..<rows {
            for k in 0..<columns {
                let factor = values[row * columns + k]
                for column in 0..<width {
                    result.values[row * width + column] += factor * other.values[k * width + column]
                }
            }
        }
        return result
    }

    /// Applies `combine` to the elements of two matrices of one shape.
    func combined(_ other: Matrix, _ combine: (Double, Double) -> Double) -> Matrix {
        Matrix(rows, columns, zip(values, other.values).map(combine))
    }
}
