import CPCRE2

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
        let options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE
        let bytes = Array(translation.utf8)
        guard
            let code = unsafe pcre2_compile_8(bytes, bytes.count, options, &problem, &offset, context)
        else {
            throw Refusal(problem: RegularExpressionMatch.message(problem))
        }
        unsafe self.code = code
        // Without machine code the same is found, more slowly.
        unsafe pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE))
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

/// Room for looking for a match, to be used again, by one thread at a time and for any expression. It goes from thread to
/// thread as part of a workspace, which only one has.
@safe final class RegularExpressionMatch: @unchecked Sendable {
    /// Looking for a match took more steps, or more memory, than any pattern of a real tokenizer.
    struct Failure: Error {
        /// Where in the text it was looked for.
        var byteOffset: Int
        var problem: String
    }

    private let data: OpaquePointer
    private let context: OpaquePointer
    private let stack: OpaquePointer?

    /// Steps, as PCRE2 counts them.
    private static let stepLimit: UInt32 = 1_000_000
    private static let stackByteCount = 1 << 20
    private static let heapKibibyteCount: UInt32 = 1 << 14

    init() {
        guard let data = unsafe pcre2_match_data_create_8(1, nil),
            let context = unsafe pcre2_match_context_create_8(nil)
        else { fatalError("no memory for a match") }
        unsafe (self.data, self.context) = (data, context)
        unsafe stack = pcre2_jit_stack_create_8(1 << 15, Self.stackByteCount, nil)
        unsafe pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack))
        unsafe pcre2_set_match_limit_8(context, Self.stepLimit)
        unsafe pcre2_set_depth_limit_8(context, Self.stepLimit)
        unsafe pcre2_set_heap_limit_8(context, Self.heapKibibyteCount)
    }

    deinit {
        unsafe pcre2_jit_stack_free_8(stack)
        unsafe pcre2_match_context_free_8(context)
        unsafe pcre2_match_data_free_8(data)
    }

    fileprivate func find(
        _ code: OpaquePointer, in text: Span<UInt8>, _ range: Range<Int>, from start: Int
    ) throws(Failure) -> Range<Int>? {
        let status = unsafe text.withUnsafeBufferPointer { bytes in
            unsafe pcre2_match_8(
                code, bytes.baseAddress.map { unsafe $0 + range.lowerBound }, range.count, start - range.lowerBound,
                UInt32(PCRE2_NO_UTF_CHECK), data, context)
        }
        if status >= 0 {
            let ends = unsafe pcre2_get_ovector_pointer_8(data)
            guard let ends = unsafe ends else { return nil }
            return unsafe range.lowerBound + ends[0]..<range.lowerBound + ends[1]
        }
        if status == PCRE2_ERROR_NOMATCH { return nil }
        throw Failure(byteOffset: start, problem: Self.message(status))
    }

    /// What PCRE2 says of a status.
    static func message(_ status: Int32) -> String {
        var text = [UInt8](repeating: 0, count: 256)
        let count = unsafe pcre2_get_error_message_8(status, &text, text.count)
        return String(decoding: text.prefix(max(Int(count), 0)), as: UTF8.self)
    }
}
