extension Array where Element: BitwiseCopyable {
    /// Gives the bytes of the elements to `body`, and keeps the array that long: an optimizing compiler lets go of an array
    /// whose last use is `span.bytes` before the bytes are read.
    package func withRawSpan<Failure: Error>(_ body: (RawSpan) throws(Failure) -> Void) throws(Failure) {
        try unsafe withUnsafeBufferPointer { buffer throws(Failure) in
            try unsafe body(UnsafeRawBufferPointer(buffer).bytes)
        }
    }
}
