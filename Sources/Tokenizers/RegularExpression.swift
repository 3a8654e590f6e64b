import CPCRE2
import Glibc

/// A regular expression, compiled by PCRE2 to machine code where that can be had. It can be used from any number of
/// threads at once, each with a `RegularExpressionMatch` of its own.
@safe final class RegularExpression: Sendable {
    /// As in the tokenizer's file.
    let pattern: String
    /// Never written after it is made.
    private nonisolated(unsafe) let code: OpaquePointer

    /// Why a pattern cannot be used.
    struct Refusal: Error {
        let problem: String
    }

    /// - Parameter pattern: in Oniguruma's syntax.
    init(_ pattern: String) throws(Refusal) {
        self.pattern = pattern
        let translation = try PatternTranslator.translate(pattern)
        var (problem, offset): (Int32, Int) = (0, 0)
        let context = unsafe pcre2_compile_context_create_8(nil)
        defer { unsafe pcre2_compile_context_free_8(context) }
        unsafe pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_LF))
        let options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE | PCRE2_USE_OFFSET_LIMIT
        let bytes = Array(translation.utf8)
        guard
            let code = unsafe pcre2_compile_8(bytes, bytes.count, options, &problem, &offset, context)
        else {
            throw Refusal(problem: RegularExpressionMatch.message(problem))
        }
        unsafe self.code = code
        // Without machine code the same is found, more slowly.
        unsafe pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE) | UInt32(PCRE2_JIT_PARTIAL_HARD))
    }

    deinit { unsafe pcre2_code_free_8(code) }

    /// The first match in `text[range]` at or after `start`, or nil.
    ///
    /// The pattern sees nothing of the text outside the range.
    ///
    /// - Parameter text: valid UTF-8.
    /// - Throws: `matchLimit` where looking for it takes too long.
    @inline(__always)
    func firstMatch(
        in text: Span<UInt8>, _ range: Range<Int>, from start: Int, _ match: RegularExpressionMatch
    ) throws(RegularExpressionMatch.Failure) -> Range<Int>? {
        try unsafe match.find(code, in: text, range, from: start)
    }

    /// The version of Unicode that PCRE2 knows.
    static let unicodeVersion: (major: Int, minor: Int) = {
        var text = [UInt8](repeating: 0, count: 64)
        let count = unsafe text.withUnsafeMutableBytes {
            unsafe pcre2_config_8(UInt32(PCRE2_CONFIG_UNICODE_VERSION), $0.baseAddress)
        }
        let parts = String(decoding: text.prefix(max(Int(count) - 1, 0)), as: UTF8.self).split(separator: ".")
        let numbers = parts.compactMap { Int($0) }
        return (numbers.first ?? 0, numbers.dropFirst().first ?? 0)
    }()
}

/// Room for looking for matches, to be used again, by one thread at a time and for any expression. It goes from thread to
/// thread as part of a workspace, which only one has.
@safe final class RegularExpressionMatch: @unchecked Sendable {
    /// Looking for a match took more steps, more memory or more time than any pattern of a real tokenizer.
    struct Failure: Error {
        /// Where in the text it was looked for.
        var byteOffset: Int
        var problem: String
    }

    /// Nil without memory for them: then every look fails.
    private let data: OpaquePointer?
    private let context: OpaquePointer?
    private let stack: OpaquePointer?
    /// Until when this thread may look for matches in a text.
    private var deadline = ThreadTime.distantFuture
    private var lookCount = 0

    /// A pattern is shown so much of the text, and more where it looks to the end of that: what a try to match at one
    /// place can take grows faster than the text, and cannot be stopped.
    private static let firstByteCount = 2048
    private static let growth = 4
    /// Of one try to match at one place, as PCRE2 counts them, for each byte that is shown. Real patterns take a few.
    private static let stepsForByte = 16
    private static let leastStepCount = 10_000
    private static let byteStepCount = 10_000_000_000
    /// How many places are tried until the time is looked at, where so many bytes are shown at first.
    private static let placeCount = 64
    /// Machine code does not count steps from character to character: so much text is the most that it is shown.
    private static let machineCodeByteCount = 8192
    private static let looksBetweenTimes = 4096
    private static let stackByteCount = 1 << 20
    private static let heapKibibyteCount: UInt32 = 1 << 16
    /// A hundred times what the patterns of real tokenizers take.
    private static let secondsForByte = 1e-5

    init() {
        unsafe data = pcre2_match_data_create_8(1, nil)
        unsafe context = pcre2_match_context_create_8(nil)
        unsafe stack = pcre2_jit_stack_create_8(1 << 15, Self.stackByteCount, nil)
        guard let context = unsafe context else { return }
        unsafe pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack))
        unsafe pcre2_set_heap_limit_8(context, Self.heapKibibyteCount)
    }

    deinit {
        unsafe pcre2_jit_stack_free_8(stack)
        unsafe pcre2_match_context_free_8(context)
        unsafe pcre2_match_data_free_8(data)
    }

    /// Gives the matches in one text their time.
    func start(byteCount: Int, seconds: Double = 5) {
        deadline = ThreadTime.now + seconds + Self.secondsForByte * Double(byteCount)
    }

    @inline(__always)
    fileprivate func find(
        _ code: OpaquePointer, in text: Span<UInt8>, _ range: Range<Int>, from start: Int
    ) throws(Failure) -> Range<Int>? {
        guard let data = unsafe data, let context = unsafe context else {
            throw Failure(byteOffset: start, problem: "there is no memory to look for a match")
        }
        lookCount &+= 1
        if lookCount % Self.looksBetweenTimes == 0 { try checkTime(at: start) }
        var (place, byteCount) = (start, Self.firstByteCount)
        while true {
            let end = Self.boundary(in: text, atMost: min(place + byteCount, range.upperBound), range)
            let placeCount = Self.placeCount * Self.firstByteCount / byteCount
            let last = min(place + placeCount, end < range.upperBound ? end - 1 : end)
            let status = unsafe look(
                code, data, context, text, range.lowerBound..<end, isWhole: end == range.upperBound, place, last)
            if status >= 0 {
                let ends = unsafe pcre2_get_ovector_pointer_8(data)
                guard let ends = unsafe ends else { return nil }
                return unsafe range.lowerBound + ends[0]..<range.lowerBound + ends[1]
            }
            if status == PCRE2_ERROR_PARTIAL {
                byteCount *= Self.growth
            } else if status == PCRE2_ERROR_NOMATCH {
                guard last < range.upperBound else { return nil }
                place = last + 1
                while place < range.upperBound, UTF8.isContinuation(text[place]) { place += 1 }
            } else {
                throw Failure(byteOffset: place, problem: Self.message(status))
            }
            try checkTime(at: place)
        }
    }

    /// The last end of a character up to a place.
    @inline(__always)
    private static func boundary(in text: Span<UInt8>, atMost place: Int, _ range: Range<Int>) -> Int {
        var place = place
        while place < range.upperBound, UTF8.isContinuation(text[place]) { place -= 1 }
        return place
    }

    /// Looks for a match that starts from one place up to another.
    ///
    /// - Parameter isWhole: whether the text ends with the range; where it does not, a look to the end of the range is no
    ///   match but `PCRE2_ERROR_PARTIAL`.
    @inline(__always)
    private func look(
        _ code: OpaquePointer, _ data: OpaquePointer, _ context: OpaquePointer, _ text: Span<UInt8>,
        _ range: Range<Int>, isWhole: Bool, _ start: Int, _ last: Int
    ) -> Int32 {
        unsafe pcre2_set_match_limit_8(context, Self.stepLimit(byteCount: range.upperBound - start))
        unsafe pcre2_set_offset_limit_8(context, last - range.lowerBound)
        let isLong = range.upperBound - start > Self.machineCodeByteCount
        let options =
            UInt32(PCRE2_NO_UTF_CHECK) | (isWhole ? 0 : PCRE2_PARTIAL_HARD) | (isLong ? UInt32(PCRE2_NO_JIT) : 0)
        return unsafe text.withUnsafeBufferPointer { bytes in
            let subject = unsafe bytes.baseAddress.map { unsafe $0 + range.lowerBound }
            let offset = start - range.lowerBound
            let status = unsafe pcre2_match_8(code, subject, range.count, offset, options, data, context)
            guard status == PCRE2_ERROR_JIT_STACKLIMIT else { return status }
            // Without machine code the stack is the heap.
            return unsafe pcre2_match_8(
                code, subject, range.count, offset, options | UInt32(PCRE2_NO_JIT), data, context)
        }
    }

    /// Each step can go through all that is shown.
    @inline(__always)
    private static func stepLimit(byteCount: Int) -> UInt32 {
        let byteCount = max(byteCount, firstByteCount)
        return UInt32(clamping: min(stepsForByte * byteCount, max(leastStepCount, byteStepCount / byteCount)))
    }

    private func checkTime(at place: Int) throws(Failure) {
        guard ThreadTime.now > deadline else { return }
        throw Failure(byteOffset: place, problem: "a pattern takes longer than it should for a text of this length")
    }

    /// What PCRE2 says of a status.
    static func message(_ status: Int32) -> String {
        var text = [UInt8](repeating: 0, count: 256)
        let count = unsafe pcre2_get_error_message_8(status, &text, text.count)
        return String(decoding: text.prefix(max(Int(count), 0)), as: UTF8.self)
    }
}

/// The time that a thread has worked, which does not depend on what else the machine does.
private enum ThreadTime {
    static let distantFuture = Double.infinity

    /// In seconds.
    static var now: Double {
        var time = timespec()
        guard unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0 else { return 0 }
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
