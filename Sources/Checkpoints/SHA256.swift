import COpenSSL

/// SHA-256 (FIPS 180-4): the digest that names a model or a sequence of token ids.
///
/// OpenSSL computes it, with the processor's instructions for it where there are any.
@safe public struct SHA256: ~Copyable {
    private let context: OpaquePointer

    /// Of a context of our own, since the machine's openssl.cnf may leave OpenSSL without digests. Kept to the end.
    nonisolated(unsafe) private static let algorithm = unsafe EVP_MD_fetch(OSSL_LIB_CTX_new(), "SHA256", nil)

    /// Ends the program where there is no memory for it, as arrays do: nothing else can fail.
    public init() {
        guard let context = unsafe EVP_MD_CTX_new(), unsafe EVP_DigestInit_ex(context, SHA256.algorithm, nil) == 1
        else {
            fatalError("no memory for a SHA-256 digest")
        }
        unsafe self.context = context
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

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
        guard unsafe EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1 else {
            fatalError("OpenSSL gave up a digest")
        }
    }

    /// The digest of the message, 32 bytes.
    public consuming func finalize() -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: 32) { digest, count in
            guard unsafe EVP_DigestFinal_ex(context, digest.baseAddress, nil) == 1 else {
                fatalError("OpenSSL gave up a digest")
            }
            count = 32
        }
    }
}
