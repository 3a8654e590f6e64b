/// SHA-256 (FIPS 180-4): the digest that names a model or a sequence of token ids.
///
/// Written here because a library of cryptography would be a dependency for this one digest.
public struct SHA256: Sendable {
    private var state: [UInt32] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    /// Bytes that do not fill a block yet.
    private var pending: [UInt8] = []
    private var byteCount: UInt64 = 0

    private static let blockByteCount = 64

    public init() {}

    /// The 32 bytes of the digest of `bytes`.
    public static func digest(of bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var hash = SHA256()
        unsafe hash.update(bytes)
        return hash.finalize()
    }

    /// The 32 bytes of the digest of `bytes`.
    public static func digest(of bytes: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finalize()
    }

    /// The digest in lower-case hexadecimal digits.
    public static func hexadecimal(_ digest: [UInt8]) -> String {
        digest.map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Appends `bytes` to the message.
    public mutating func update(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe update($0) }
    }

    /// Appends `bytes` to the message.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        byteCount += UInt64(bytes.count)
        var rest = unsafe bytes[...]
        if !pending.isEmpty {
            let head = unsafe rest.prefix(Self.blockByteCount - pending.count)
            unsafe pending.append(contentsOf: head)
            unsafe rest = rest.dropFirst(head.count)
            guard pending.count == Self.blockByteCount else { return }
            unsafe pending.withUnsafeBytes { unsafe Self.compress($0, into: &state) }
            pending.removeAll(keepingCapacity: true)
        }
        let whole = unsafe rest.prefix(rest.count / Self.blockByteCount * Self.blockByteCount)
        unsafe Self.compress(UnsafeRawBufferPointer(rebasing: whole), into: &state)
        unsafe pending.append(contentsOf: rest.dropFirst(whole.count))
    }

    /// The digest of the message so far, 32 bytes.
    public func finalize() -> [UInt8] {
        var padded = self
        let bitCount = byteCount &* 8
        var padding: [UInt8] = [0x80]
        while (pending.count + padding.count) % Self.blockByteCount != Self.blockByteCount - 8 { padding.append(0) }
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            padding.append(UInt8(truncatingIfNeeded: bitCount >> shift))
        }
        padded.update(padding)
        return padded.state.flatMap { word in
            stride(from: UInt32(24), through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> $0) }
        }
    }
}

// MARK: - The compression function (FIPS 180-4, §6.2.2)

extension SHA256 {
    /// Takes whole blocks into `state`.
    private static func compress(_ blocks: UnsafeRawBufferPointer, into state: inout [UInt32]) {
        unsafe withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { schedule in
            unsafe roundConstants.withUnsafeBufferPointer { constants in
                for start in stride(from: 0, to: blocks.count, by: blockByteCount) {
                    unsafe expand(blocks, at: start, into: schedule)
                    unsafe compress(schedule, constants, into: &state)
                }
            }
        }
    }

    /// The message schedule W of the block at `start`.
    @inline(__always)
    private static func expand(
        _ blocks: UnsafeRawBufferPointer, at start: Int, into schedule: UnsafeMutableBufferPointer<UInt32>
    ) {
        for t in 0..<16 {
            unsafe schedule[t] = UInt32(bigEndian: blocks.loadUnaligned(fromByteOffset: start + 4 * t, as: UInt32.self))
        }
        for t in 16..<64 {
            let early = unsafe schedule[t - 15]
            let late = unsafe schedule[t - 2]
            let sigma0 = rotate(early, 7) ^ rotate(early, 18) ^ early >> 3
            let sigma1 = rotate(late, 17) ^ rotate(late, 19) ^ late >> 10
            unsafe schedule[t] = schedule[t - 16] &+ sigma0 &+ schedule[t - 7] &+ sigma1
        }
    }

    /// The 64 rounds, eight at a time, so that the working variables change names instead of places.
    @inline(__always)
    private static func compress(
        _ schedule: UnsafeMutableBufferPointer<UInt32>, _ constants: UnsafeBufferPointer<UInt32>,
        into state: inout [UInt32]
    ) {
        var (a, b, c, d) = (state[0], state[1], state[2], state[3])
        var (e, f, g, h) = (state[4], state[5], state[6], state[7])
        for t in stride(from: 0, to: 64, by: 8) {
            unsafe round(a, b, c, &d, e, f, g, &h, schedule[t] &+ constants[t])
            unsafe round(h, a, b, &c, d, e, f, &g, schedule[t + 1] &+ constants[t + 1])
            unsafe round(g, h, a, &b, c, d, e, &f, schedule[t + 2] &+ constants[t + 2])
            unsafe round(f, g, h, &a, b, c, d, &e, schedule[t + 3] &+ constants[t + 3])
            unsafe round(e, f, g, &h, a, b, c, &d, schedule[t + 4] &+ constants[t + 4])
            unsafe round(d, e, f, &g, h, a, b, &c, schedule[t + 5] &+ constants[t + 5])
            unsafe round(c, d, e, &f, g, h, a, &b, schedule[t + 6] &+ constants[t + 6])
            unsafe round(b, c, d, &e, f, g, h, &a, schedule[t + 7] &+ constants[t + 7])
        }
        for (index, word) in [a, b, c, d, e, f, g, h].enumerated() { state[index] &+= word }
    }

    @inline(__always)
    private static func round(
        _ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: inout UInt32,
        _ e: UInt32, _ f: UInt32, _ g: UInt32, _ h: inout UInt32, _ input: UInt32
    ) {
        let sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
        let choice = e & f ^ ~e & g
        let sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
        let majority = a & b ^ a & c ^ b & c
        h = h &+ sum1 &+ choice &+ input
        d = d &+ h
        h = h &+ sum0 &+ majority
    }

    @inline(__always)
    private static func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 { word >> count | word << (32 - count) }

    /// The fractional parts of the cube roots of the first 64 primes.
    private static let roundConstants: [UInt32] = [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ]
}
