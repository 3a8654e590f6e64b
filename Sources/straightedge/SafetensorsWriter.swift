import Checkpoints
import Glibc
import Reports

/// Writes a safetensors file from front to back; it appears under its name only when it is whole.
final class SafetensorsWriter {
    /// A tensor that will be written.
    struct Entry {
        let name: String
        /// I32 or F32.
        let type: String
        let shape: [Int]
    }

    private let path: String
    private let temporaryPath: String
    private let descriptor: Int32
    private var isFinished = false

    /// Writes the header; the tensors' elements follow in the order of `tensors`.
    init(path: String, replaces: Bool, tensors: [Entry]) throws(ResultFolderError) {
        self.path = path
        if !replaces, unsafe access(path, F_OK) == 0 {
            throw ResultFolderError(description: "\(path) exists already; give another --out, or --force to replace it")
        }
        var template = Array("\(path).XXXXXX".utf8CString)
        descriptor = unsafe mkstemp(&template)
        temporaryPath = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard descriptor >= 0 else {
            throw ResultFolderError(description: "\(path) could not be made: \(SafetensorsWriter.reason())")
        }
        _ = fchmod(descriptor, 0o644)
        var header = JSONObject()
        var offset = 0
        for tensor in tensors {
            let end = offset + 4 * tensor.shape.reduce(1, *)
            header[tensor.name] = [
                "dtype": .string(tensor.type), "shape": .array(tensor.shape.map(JSON.integer)),
                "data_offsets": [.integer(offset), .integer(end)],
            ]
            offset = end
        }
        var text = Array(JSON.object(header).serialized(indented: false).utf8)
        // Elements begin at a multiple of 8 bytes.
        text += [UInt8](repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
        try write([UInt64(text.count).littleEndian])
        try write(text)
    }

    deinit {
        close(descriptor)
        if !isFinished { unsafe unlink(temporaryPath) }
    }

    /// Appends elements, or bytes of the header.
    func write<Element: BitwiseCopyable>(_ elements: [Element]) throws(ResultFolderError) {
        var done = 0
        let byteCount = elements.count * MemoryLayout<Element>.stride
        while done < byteCount {
            let count = unsafe elements.withUnsafeBytes { bytes in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
                return unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                throw ResultFolderError(
                    description: "\(path) could not be written: \(SafetensorsWriter.reason()); free some space")
            }
            done += count
        }
    }

    /// Puts the file in its place.
    func finish() throws(ResultFolderError) {
        guard fsync(descriptor) == 0, unsafe rename(temporaryPath, path) == 0 else {
            throw ResultFolderError(description: "\(path) could not be put in place: \(SafetensorsWriter.reason())")
        }
        isFinished = true
    }

    private static func reason() -> String { unsafe String(cString: strerror(errno)) }
}
