import Compute
import Tensors
import Testing

/// A device refuses what would read or write outside its operands, and its errors name the operation and the operand.
@Suite struct RefusalTests {
    private let device = Device.host()

    private func tensor(_ shape: Shape, _ type: ElementType = .float32) throws -> Tensor {
        try device.makeZeros(shape, type, for: "a test")
    }

    /// A tensor that another device owns.
    private func foreign(_ shape: Shape, _ type: ElementType = .float32) -> Tensor {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: shape.count * 8, alignment: 64)
        let storage = unsafe Storage(
            address: memory, byteCount: shape.count * 8, owner: DeviceIdentifier(name: "elsewhere", index: 1)
        ) { unsafe $0.deallocate() }
        return Tensor(storage: storage, shape: shape, elementType: type)
    }

    private func expectShape(
        _ operation: String, _ operand: String, _ location: SourceLocation = #_sourceLocation,
        _ body: () throws -> Void
    ) {
        let error = #expect(throws: ComputeError.self, sourceLocation: location) { try body() }
        guard case .shape(operation, operand, _, _) = error else {
            Issue.record("\(error?.description ?? "nothing") was thrown", sourceLocation: location)
            return
        }
    }

    private func expectType(
        _ operation: String, _ operand: String, _ location: SourceLocation = #_sourceLocation,
        _ body: () throws -> Void
    ) {
        let error = #expect(throws: ComputeError.self, sourceLocation: location) { try body() }
        guard case .elementType(operation, operand, _, _) = error else {
            Issue.record("\(error?.description ?? "nothing") was thrown", sourceLocation: location)
            return
        }
    }

    private func expectForeign(
        _ operation: String, _ operand: String, _ location: SourceLocation = #_sourceLocation,
        _ body: () throws -> Void
    ) {
        let error = #expect(throws: ComputeError.self, sourceLocation: location) { try body() }
        guard case .otherDevice(operation, operand, _, _) = error else {
            Issue.record("\(error?.description ?? "nothing") was thrown", sourceLocation: location)
            return
        }
    }

    @Test func memory() throws {
        let x = try tensor([3, 5])
        expectShape("makeTensor", "a test") { _ = try tensor([33], .q8_0) }
        expectShape("makeTensor", "weights") {
            _ = try device.makeTensor([1, 2, 3] as [Float], [2, 2], for: "weights")
        }
        expectShape("copy", "destination") { try device.copy(x, to: try tensor([5, 3])) }
        expectType("copy", "destination") { try device.copy(x, to: try tensor([3, 5], .float64)) }
        expectForeign("copy", "source") { try device.copy(foreign([3, 5]), to: x) }
        expectForeign("fillZero", "tensor") { try device.fillZero(foreign([3, 5])) }
        expectType("read", "tensor") { _ = try device.doubles(of: x) }
        expectShape("write", "tensor") { try device.write([1, 2], to: try tensor([3], .float64)) }
        expectShape("write", "tensor") { try device.write([1, 2], to: try tensor([2, 2], .float64).columns(0..<1)) }
    }

    @Test func memoryThatCannotBeHad() throws {
        #expect(throws: ComputeError.outOfMemory(byteCount: 1 << 60, purpose: "a dream")) {
            try device.makeTensor([1 << 58], .float32, for: "a dream")
        }
    }

    @Test func decoding() throws {
        let bytes = [UInt8](repeating: 0, count: 36)
        expectShape("decode", "result") {
            try device.decode(unsafe bytes.span.bytes, elementType: .q4_0, into: try tensor([65]))
        }
        expectShape("decode", "result") {
            try device.decode(unsafe bytes.span.bytes, elementType: .float32, into: try tensor([8]))
        }
        expectShape("decode", "result") {
            try device.decode(
                unsafe bytes.span.bytes, elementType: .float32, into: try tensor([3, 4]).columns(0..<3))
        }
        expectType("decode", "result") {
            try device.decode(unsafe bytes.span.bytes, elementType: .float32, into: try tensor([9], .int32))
        }
    }

    @Test(arguments: ElementType.allCases.filter { $0.blockElementCount > 1 })
    func decodingParts(of type: ElementType) throws {
        let (block, byteCount) = (type.blockElementCount, type.blockByteCount)
        // Elements that are no whole blocks, and bytes that are none or are those of another count.
        for (elementCount, storedCount) in [
            (block - 1, byteCount), (block + 1, byteCount), (block / 2, byteCount), (2 * block, 2 * byteCount - 1),
            (2 * block, 2 * byteCount + 1), (2 * block, byteCount), (block, 2 * byteCount), (block, 0),
        ] {
            let bytes = [UInt8](repeating: 0, count: storedCount)
            expectShape("decode", "result") {
                try device.decode(unsafe bytes.span.bytes, elementType: type, into: try tensor([elementCount]))
            }
        }
        // Rows that are no whole blocks, although the table is.
        let table = [UInt8](repeating: 0, count: 2 * byteCount)
        for width in [block / 2, block + block / 2, block - 1] {
            expectShape("gatherRows", "result") {
                try device.gatherRows(
                    unsafe table.span.bytes, elementType: type, rows: [0], into: try tensor([1, width]))
            }
        }
    }

    @Test func gatheringRows() throws {
        let table = [UInt8](repeating: 0, count: 5 * 12)
        let result = try tensor([2, 3])
        for row in [-1, 5] as [Int32] {
            #expect(throws: ComputeError.index(operation: "gatherRows", index: Int(row), count: 5)) {
                try device.gatherRows(unsafe table.span.bytes, elementType: .float32, rows: [0, row], into: result)
            }
        }
        expectShape("gatherRows", "result") {
            try device.gatherRows(unsafe table.span.bytes, elementType: .float32, rows: [0], into: result)
        }
        expectShape("gatherRows", "result") {
            try device.gatherRows(unsafe table.span.bytes, elementType: .q8_0, rows: [0, 1], into: result)
        }
        expectShape("gatherRows", "result") {
            try device.gatherRows(
                unsafe table.span.bytes, elementType: .float32, rows: [0, 1], into: try tensor([2, 7]))
        }
    }

    @Test func elementwise() throws {
        let x = try tensor([3, 6])
        expectShape("addBias", "bias") { try device.addBias(try tensor([7]), to: x) }
        expectShape("subtract", "b") { try device.subtract(x, try tensor([3, 5]), into: x) }
        expectShape("subtract", "result") { try device.subtract(x, x, into: try tensor([4, 6])) }
        expectType("scale", "x") { try device.scale(try tensor([3, 6], .float64), by: 2) }
        expectType("softCap", "x") { try device.softCap(try tensor([3, 6], .float16), at: 30) }
        expectForeign("softCap", "x") { try device.softCap(foreign([3, 6]), at: 30) }
        expectType("firstNonFiniteRow", "x") { _ = try device.firstNonFiniteRow(try tensor([3, 6], .int32)) }
    }

    @Test func norms() throws {
        let (x, vector) = (try tensor([3, 6]), try tensor([6]))
        func normalize(
            _ x: Tensor, weight: Tensor, bias: Tensor? = nil, groupWidth: Int? = nil, accumulates: Bool = false,
            into result: Tensor
        ) throws {
            try device.normalize(
                x, .layer, weight: weight, bias: bias, epsilon: 1, groupWidth: groupWidth, accumulates: accumulates,
                into: result)
        }
        expectShape("normalize", "weight") { try normalize(x, weight: try tensor([5]), into: x) }
        expectShape("normalize", "weight") { try normalize(x, weight: x, into: x) }
        expectShape("normalize", "bias") { try normalize(x, weight: vector, bias: try tensor([7]), into: x) }
        expectType("normalize", "bias") { try normalize(x, weight: vector, bias: try tensor([6], .float16), into: x) }
        expectShape("normalize", "result") { try normalize(x, weight: vector, into: try tensor([2, 6])) }
        for groupWidth in [0, -2, 4, 12] {
            expectShape("normalize", "x") { try normalize(x, weight: vector, groupWidth: groupWidth, into: x) }
        }
        let half = try tensor([3, 6], .bfloat16)
        expectType("normalize", "x") { try normalize(try tensor([3, 6], .float64), weight: vector, into: x) }
        expectType("normalize", "result") { try normalize(half, weight: vector, into: x) }
        expectType("normalize", "result") { try normalize(half, weight: vector, into: try tensor([3, 6], .float16)) }
        expectType("normalize", "x") { try normalize(half, weight: vector, accumulates: true, into: half) }
        expectType("normalize", "result") { try normalize(x, weight: vector, accumulates: true, into: half) }
        expectForeign("normalize", "weight") { try normalize(x, weight: foreign([6]), into: x) }
    }

    @Test func activations() throws {
        let x = try tensor([3, 6])
        func activate(_ x: Tensor, bias: Tensor? = nil, isGated: Bool, into result: Tensor) throws {
            try device.activate(x, bias: bias, .gelu, isGated: isGated, into: result)
        }
        expectShape("activate", "x") { try activate(x, isGated: true, into: try tensor([3, 4])) }
        expectShape("activate", "x") { try activate(x, isGated: false, into: try tensor([3, 3])) }
        expectShape("activate", "x") { try activate(x, isGated: false, into: try tensor([2, 6])) }
        expectShape("activate", "bias") {
            try activate(x, bias: try tensor([3]), isGated: true, into: try tensor([3, 3]))
        }
        expectType("activate", "bias") { try activate(x, bias: try tensor([6], .float16), isGated: false, into: x) }
        expectType("activate", "x") { try activate(try tensor([3, 6], .float64), isGated: false, into: x) }
        expectType("activate", "result") { try activate(x, isGated: false, into: try tensor([3, 6], .bfloat16)) }
        expectForeign("activate", "bias") { try activate(x, bias: foreign([6]), isGated: false, into: x) }
    }

    @Test func tokenScores() throws {
        let (logits, result) = (try tensor([2, 5]), try tensor([2, 3], .float64))
        expectShape("tokenScores", "logits") { try device.tokenScores(logits, targets: [1], into: result) }
        expectShape("tokenScores", "result") {
            try device.tokenScores(logits, targets: [1, 2], into: try tensor([2, 2], .float64))
        }
        expectType("tokenScores", "result") {
            try device.tokenScores(logits, targets: [1, 2], into: try tensor([2, 3]))
        }
        expectType("tokenScores", "logits") {
            try device.tokenScores(try tensor([2, 5], .float16), targets: [1, 2], into: result)
        }
        for target in [-1, 5] as [Int32] {
            #expect(throws: ComputeError.index(operation: "tokenScores", index: Int(target), count: 5)) {
                try device.tokenScores(logits, targets: [0, target], into: result)
            }
        }
    }

    @Test func tokenDivergences() throws {
        let (logits, result) = (try tensor([2, 5]), try tensor([2, 1], .float64))
        expectShape("tokenDivergences", "logits") {
            try device.tokenDivergences(reference: try tensor([2, 4]), logits: logits, into: result)
        }
        expectShape("tokenDivergences", "logits") {
            try device.tokenDivergences(reference: try tensor([1, 5]), logits: logits, into: result)
        }
        expectShape("tokenDivergences", "result") {
            try device.tokenDivergences(reference: logits, logits: logits, into: try tensor([2, 2], .float64))
        }
        expectType("tokenDivergences", "result") {
            try device.tokenDivergences(reference: logits, logits: logits, into: try tensor([2, 1]))
        }
        expectType("tokenDivergences", "reference") {
            try device.tokenDivergences(reference: try tensor([2, 5], .bfloat16), logits: logits, into: result)
        }
        expectForeign("tokenDivergences", "reference") {
            try device.tokenDivergences(reference: foreign([2, 5]), logits: logits, into: result)
        }
    }

    @Test func softmax() throws {
        let x = try tensor([2, 5])
        expectShape("softmax", "result") { try device.softmax(x, into: try tensor([2, 4])) }
        expectShape("softmax", "result") { try device.softmax(x, into: try tensor([1, 5])) }
        expectType("softmax", "x") { try device.softmax(try tensor([2, 5], .bfloat16), into: x) }
        expectType("softmax", "result") { try device.softmax(x, into: try tensor([2, 5], .float64)) }
        expectForeign("softmax", "x") { try device.softmax(foreign([2, 5]), into: x) }
    }

    @Test func products() throws {
        let (a, b) = (try tensor([3, 4]), try tensor([4, 5]))
        expectShape("product", "b") { try device.product(a, b, transposesB: true, into: try tensor([3, 5])) }
        expectShape("product", "b") { try device.product(a, b, transposesA: true, into: try tensor([4, 5])) }
        expectShape("product", "result") { try device.product(a, b, into: try tensor([5, 3])) }
        expectType("product", "b") { try device.product(a, try tensor([4, 5], .float64), into: try tensor([3, 5])) }
        expectType("product", "a") {
            try device.product(try tensor([3, 4], .int32), b, into: try tensor([3, 5]))
        }
        expectType("product", "b") {
            try device.product(try tensor([3, 4], .float16), b, into: try tensor([3, 5]))
        }
        expectType("product", "result") {
            try device.product(
                try tensor([3, 4], .float16), try tensor([4, 5], .float16), into: try tensor([3, 5], .bfloat16))
        }
        expectForeign("product", "result") { try device.product(a, b, into: foreign([3, 5])) }
    }

    @Test func rotations() throws {
        let (x, table) = (try tensor([2, 8]), try tensor([10, 2]))
        func rotate(_ x: Tensor, sines: Tensor, positions: [Int32], headWidth: Int) throws {
            try device.rotate(
                x, cosines: table, sines: sines, positions: positions, headWidth: headWidth, layout: .halves)
        }
        expectShape("rotate", "sines") { try rotate(x, sines: try tensor([10, 3]), positions: [0, 1], headWidth: 4) }
        expectShape("rotate", "x") { try rotate(x, sines: table, positions: [0], headWidth: 4) }
        for headWidth in [0, -4, 3, 2, 16] {
            expectShape("rotate", "x") { try rotate(x, sines: table, positions: [0, 1], headWidth: headWidth) }
        }
        for position in [-1, 10] as [Int32] {
            #expect(throws: ComputeError.index(operation: "rotate", index: Int(position), count: 10)) {
                try rotate(x, sines: table, positions: [0, position], headWidth: 4)
            }
        }
    }

    @Test func attention() throws {
        let (query, key) = (try tensor([5, 16]), try tensor([5, 8]))
        func attend(
            key: Tensor, lengths: [Int] = [5], heads: (Int, Int, Int) = (4, 2, 4),
            rule: AttentionRule = AttentionRule(scale: 1), into result: Tensor
        ) throws {
            try device.attention(
                query: query, key: key, value: key, lengths: lengths,
                heads: AttentionHeads(queryCount: heads.0, keyCount: heads.1, width: heads.2), rule: rule, into: result)
        }
        expectShape("attention", "heads") { try attend(key: key, lengths: [5], heads: (3, 2, 4), into: query) }
        expectShape("attention", "heads") { try attend(key: key, lengths: [5], heads: (4, 0, 4), into: query) }
        expectShape("attention", "query") { try attend(key: key, lengths: [4], heads: (4, 2, 4), into: query) }
        expectShape("attention", "query") { try attend(key: key, lengths: [6, -1], heads: (4, 2, 4), into: query) }
        expectShape("attention", "key") { try attend(key: query, lengths: [5], heads: (4, 2, 4), into: query) }
        expectShape("attention", "result") { try attend(key: key, lengths: [5], heads: (4, 2, 4), into: key) }
        for type in [ElementType.bfloat16, .float16, .float64] {
            expectType("attention", "key") {
                try attend(key: try tensor([5, 8], type), lengths: [5], heads: (4, 2, 4), into: query)
            }
            expectType("attention", "result") {
                try attend(key: key, lengths: [5], heads: (4, 2, 4), into: try tensor([5, 16], type))
            }
        }
        for (type, operand) in [(ElementType.float64, "query"), (.int32, "query"), (.bfloat16, "key")] {
            expectType("attention", operand) {
                try device.attention(
                    query: try tensor([5, 16], type), key: try tensor([5, 8], .float16),
                    value: try tensor([5, 8], .float16), lengths: [5],
                    heads: AttentionHeads(queryCount: 4, keyCount: 2, width: 4), rule: AttentionRule(scale: 1),
                    into: try tensor([5, 16], type))
            }
        }
        expectForeign("attention", "key") {
            try attend(key: foreign([5, 8]), lengths: [5], heads: (4, 2, 4), into: try tensor([5, 16]))
        }
        for slopes in [[1], [1, 1], [1, 1, 1, 1, 1]] as [[Float]] {
            expectShape("attention", "slopes") {
                try attend(key: key, rule: AttentionRule(scale: 1, slopes: slopes), into: query)
            }
        }
        let rules: [(AttentionRule, String)] = [
            (AttentionRule(scale: 1, window: 0), "the window"), (AttentionRule(scale: 1, window: -1), "the window"),
            (AttentionRule(scale: 1, softCap: 0), "the soft cap"),
            (AttentionRule(scale: 1, softCap: -1), "the soft cap"),
            (AttentionRule(scale: 1, softCap: .nan), "the soft cap"),
            (AttentionRule(scale: 1, softCap: .infinity), "the soft cap"),
            (AttentionRule(scale: 1, slopes: [1, .nan, 1, 1]), "a slope"),
        ]
        for (rule, name) in rules {
            let error = #expect(throws: ComputeError.self) { try attend(key: key, rule: rule, into: query) }
            guard case .value("attention", name, _, _) = error else {
                Issue.record("\(error?.description ?? "nothing") was thrown")
                continue
            }
        }
    }

    @Test func panels() throws {
        let (x, vector) = (try tensor([4, 3]), try tensor([3]))
        let shifts = PanelShifts(x: vector, target: vector)
        func panels(_ type: ElementType = .float32, rows: Int = 2) throws -> Panels {
            Panels(
                x: try tensor([rows, 3], type), target: try tensor([rows, 3], type), sums: try tensor([3, 3], .float64))
        }
        let pair = StreamPair(x: x, y: x, target: .output)
        for row in [-1, 4] as [Int32] {
            #expect(throws: ComputeError.index(operation: "gatherPanels", index: Int(row), count: 4)) {
                try device.gatherPanels(pair, rows: [row], shifts: shifts, into: try panels())
            }
        }
        expectShape("gatherPanels", "panel of x") {
            try device.gatherPanels(pair, rows: [0, 1, 2], shifts: shifts, into: try panels())
        }
        expectShape("gatherPanels", "y") {
            let pair = StreamPair(x: x, y: try tensor([3, 3]), target: .output)
            try device.gatherPanels(pair, rows: [0], shifts: shifts, into: try panels())
        }
        expectShape("gatherPanels", "shift of the target") {
            let shifts = PanelShifts(x: vector, target: try tensor([4]))
            try device.gatherPanels(pair, rows: [0], shifts: shifts, into: try panels())
        }
        expectType("gatherPanels", "panel of x") {
            try device.gatherPanels(pair, rows: [0], shifts: shifts, into: try panels(.bfloat16))
        }
        let square = try tensor([3, 3], .float64)
        expectShape("addCrossProducts", "gram") {
            try device.addCrossProducts(try panels(), rowCount: 1, gram: try tensor([3, 4], .float64), cross: square)
        }
        expectShape("addCrossProducts", "panel of x") {
            try device.addCrossProducts(try panels(), rowCount: 3, gram: square, cross: square)
        }
        #expect(throws: ComputeError.index(operation: "addCrossProducts", index: -1, count: 3)) {
            try device.addCrossProducts(try panels(), rowCount: -1, gram: square, cross: square)
        }
        expectShape("gatherPanels", "y") {
            let pair = StreamPair(x: x, y: try tensor([4, 5]), target: .contribution)
            try device.gatherPanels(pair, rows: [0], shifts: shifts, into: try panels())
        }
        expectShape("gatherPanels", "panel of the target") {
            let pair = StreamPair(x: x, y: try tensor([4, 5]), target: .output)
            let shifts = PanelShifts(x: vector, target: try tensor([5]))
            try device.gatherPanels(pair, rows: [0], shifts: shifts, into: try panels())
        }
        expectType("gatherPanels", "y") {
            let pair = StreamPair(x: x, y: try tensor([4, 3], .float64), target: .output)
            try device.gatherPanels(pair, rows: [0], shifts: shifts, into: try panels())
        }
        expectType("gatherPanels", "panel of x") {
            let pair = StreamPair(x: try tensor([4, 3], .float64), y: try tensor([4, 3], .float64), target: .output)
            let shift = try tensor([3], .float64)
            try device.gatherPanels(
                pair, rows: [0], shifts: PanelShifts(x: shift, target: shift), into: try panels(.float32))
        }
        expectShape("gatherPanels", "sums") {
            let pair = StreamPair(x: x, y: try tensor([4, 5]), target: .output)
            let shifts = PanelShifts(x: vector, target: try tensor([5]))
            try device.gatherPanels(
                pair, rows: [0], shifts: shifts,
                into: Panels(x: try tensor([2, 3]), target: try tensor([2, 5]), sums: try tensor([3, 3], .float64)))
        }
        expectShape("addCrossProducts", "gram of the target") {
            try device.addCrossProducts(
                try panels(), rowCount: 1, gram: square, cross: square, targetGram: try tensor([3, 5], .float64))
        }
        expectShape("squaredDistances", "center") {
            try device.squaredDistances(x, from: try tensor([4], .float64), into: try tensor([4], .float64))
        }
        expectShape("squaredDistances", "result") {
            try device.squaredDistances(x, from: try tensor([3], .float64), into: try tensor([3], .float64))
        }
        expectShape("rowStatistics", "result") {
            try device.rowStatistics(x, x, into: try tensor([4, 3], .float64))
        }
        expectShape("rowProducts", "result") { try device.rowProducts(x, x, into: try tensor([3], .float64)) }
        expectShape("rowProducts", "y") {
            try device.rowProducts(x, try tensor([4, 2]), into: try tensor([4], .float64))
        }
        expectType("rowProducts", "y") {
            try device.rowProducts(x, try tensor([4, 3], .float64), into: try tensor([4], .float64))
        }
    }

    @Test func linearAlgebra() throws {
        let (square, vector) = (try tensor([3, 3], .float64), try tensor([3], .float64))
        let oblong = try tensor([3, 4], .float64)
        expectShape("choleskyFactor", "a") { _ = try device.choleskyFactor(oblong) }
        expectShape("symmetricEigen", "a") { _ = try device.symmetricEigen(oblong) }
        expectShape("mirrorUpperTriangle", "a") { try device.mirrorUpperTriangle(oblong) }
        expectShape("diagonal", "a") { _ = try device.diagonal(of: oblong) }
        expectShape("fillDiagonal", "a") { try device.fillDiagonal(of: oblong, with: 1) }
        expectShape("solveTriangular", "factor") { try device.solveTriangular(oblong, transposes: false, square) }
        expectShape("solveTriangular", "b") {
            try device.solveTriangular(square, transposes: false, try tensor([4, 3], .float64))
        }
        expectShape("addOuterProduct", "y") { try device.addOuterProduct(vector, vector, scale: 1, to: oblong) }
        expectShape("scale", "columns") { try device.scale(oblong, rows: vector, columns: vector) }
        expectShape("innerProduct", "b") { _ = try device.innerProduct(square, oblong) }
        expectShape("innerProduct", "a") { _ = try device.innerProduct(oblong.columns(0..<3), square) }
        expectShape("addScaled", "y") { try device.addScaled(square, to: oblong.columns(0..<3)) }
        expectShape("symmetricProduct", "y") {
            try device.symmetricProduct(square, vector, into: try tensor([4], .float64))
        }
        expectShape("transpose", "result") {
            try device.transpose(try tensor([3, 4], .float64), into: try tensor([3, 4], .float64))
        }
        expectShape("updateTriangularFactor", "rows") {
            try device.updateTriangularFactor(square, with: try tensor([3, 4], .float64))
        }
        expectShape("updateTriangularFactor", "rows") {
            try device.updateTriangularFactor(square, with: try tensor([4, 3], .float64), transposesRows: true)
        }
        expectType("updateTriangularFactor", "rows") {
            try device.updateTriangularFactor(square, with: try tensor([4, 3]))
        }
        expectType("singularDecomposition", "a") { _ = try device.singularDecomposition(try tensor([3, 3])) }
        expectType("singularValues", "a") { _ = try device.singularValues(try tensor([3, 3])) }
    }

    @Test func unknownDevicesAreNamed() {
        #expect(throws: ComputeError.unknownDevice(name: "abacus", known: Device.knownNames)) {
            _ = try Device.named("abacus")
        }
    }
}
