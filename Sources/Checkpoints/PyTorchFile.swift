import Tensors

/// A file that `torch.save` wrote: a ZIP archive with a pickle that names the tensors and a record for each storage.
///
/// The archive, the pickle, and every tensor's place in its storage are checked when the file is opened; the bytes of a
/// storage are checked when a tensor in it is first asked for. Of the pickle nothing is executed: see `PickleReader`.
/// A tensor of a type that is not read is an error only when that tensor is asked for.
///
/// The format: https://pytorch.org/docs/stable/notes/serialization.html, caffe2/serialize/inline_container.h of PyTorch
public struct PyTorchFile: Sendable {
    public let file: MappedFile
    let directory: TensorDirectory

    /// In the order of the state dict.
    public var tensorNames: [String] { directory.entries.map(\.name) }

    public init(_ path: String) throws(CheckpointError) {
        try self.init(MappedFile(path))
    }

    public init(_ file: MappedFile) throws(CheckpointError) {
        try FileKind.refusePointer(file)
        guard !Self.isLegacy(file) else { throw .legacyPyTorch(path: file.path) }
        guard ZipReader.matches(file) else { throw FileKind.wrongFormat(file) }
        let archive = try PyTorchArchive(ZipArchive(file))
        self.file = file
        directory = try archive.directory()
    }

    /// The tensor of this name.
    ///
    /// - Throws: `tensorMissing`, `unsupportedElementType`, `malformed` where its bytes are damaged.
    public func tensor(_ name: String) throws(CheckpointError) -> StoredTensor {
        try directory.tensor(name, path: file.path)
    }

    /// Whether the file begins as what `torch.save` writes, now or before PyTorch 1.6.
    static func matches(_ file: MappedFile) -> Bool { ZipReader.matches(file) || isLegacy(file) }

    /// Before PyTorch 1.6: pickles one after the other, the first of which is this number.
    private static func isLegacy(_ file: MappedFile) -> Bool {
        unsafe file.bytes.dropFirst(2).starts(with: [
            0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
        ])
    }
}

// MARK: - The archive

/// The records of the archive, by what PyTorch means by them.
private struct PyTorchArchive {
    let archive: ZipArchive
    /// The folder in the archive in which all is, and "/".
    let root: String
    let pickleRecord: ArchiveRecord

    private static let pickleName = "data.pkl"
    private static let scriptName = "constants.pkl"
    /// PyTorch writes two bytes and six.
    private static let byteOrderByteCountLimit = 16

    var path: String { archive.file.path }

    init(_ archive: ZipArchive) throws(CheckpointError) {
        let pickles = archive.records.filter { record in
            let parts = record.name.split(separator: "/", omittingEmptySubsequences: false)
            return parts.count == 2 && parts[1] == Self.pickleName
        }
        guard let record = pickles.first, pickles.count == 1 else {
            throw .unsupportedArchive(
                path: archive.file.path,
                problem: "a ZIP archive with \(pickles.isEmpty ? "no" : "more than one") FOLDER/\(Self.pickleName), "
                    + "which an archive of PyTorch has once",
                remedy: "Name a file that torch.save wrote.")
        }
        self.archive = archive
        pickleRecord = record
        root = String(record.name.dropLast(Self.pickleName.count))
        guard archive[root + Self.scriptName] == nil else {
            throw .unsupportedArchive(
                path: path, problem: "a TorchScript program, not a state dict",
                remedy: "Save its weights: torch.save(torch.jit.load(PATH).state_dict(), OTHER).")
        }
        try requireLittleEndian()
    }

    private func requireLittleEndian() throws(CheckpointError) {
        // Archives from before PyTorch 2.1 do not say.
        guard let record = archive[root + "byteorder"] else { return }
        guard record.byteCount <= Self.byteOrderByteCountLimit else {
            throw malformed("the record \(record.name.quoted) has \(record.byteCount) bytes", record)
        }
        let order = try unsafe record.withBytes { (bytes) throws(CheckpointError) in
            unsafe String(decoding: bytes, as: UTF8.self)
        }
        guard order != "big" else {
            throw .unsupportedArchive(
                path: path, problem: "its numbers are big-endian",
                remedy: "Save it as safetensors, which has one byte order, on the machine that wrote it.")
        }
        guard order == "little" else { throw malformed("the byte order is \(order.quoted)", record) }
    }

    func directory() throws(CheckpointError) -> TensorDirectory {
        let pickle = try readPickle()
        let state = try StateDictionary(of: pickle, path: path)
        var directory = TensorDirectory()
        directory.reserveCapacity(state.members.count)
        // Tied weights are one tensor with two names.
        var tensors: [PickleTuple: Tensor] = [:]
        for member in state.members {
            let tensor: Tensor
            if let known = tensors[member.tensor] {
                tensor = known
            } else {
                tensor = try self.tensor(member.tensor, pickle, member.name)
                tensors[member.tensor] = tensor
            }
            guard directory.append(entry(member.name, tensor)) else {
                throw malformed("the tensor name \(member.name.quoted) is repeated", pickleRecord)
            }
        }
        return directory
    }

    private func readPickle() throws(CheckpointError) -> Pickle {
        try unsafe pickleRecord.withBytes { (bytes) throws(CheckpointError) in
            var reader = unsafe PickleReader(bytes)
            do throws(PickleError) {
                return try reader.read()
            } catch {
                let name = pickleRecord.name
                switch error.reason {
                case .malformed(let problem):
                    throw .malformedPickle(path: path, record: name, byteOffset: error.byteOffset, problem: problem)
                case .refused(let what):
                    throw .refusedPickle(path: path, record: name, byteOffset: error.byteOffset, what: what)
                }
            }
        }
    }

    private func malformed(_ problem: String, _ record: ArchiveRecord) -> CheckpointError {
        .malformed(path: path, byteOffset: record.entry.dataOffset, problem: problem)
    }
}

// MARK: - Tensors

extension PyTorchArchive {
    private struct Tensor {
        let type: TorchElementType
        let view: StorageView
    }

    private func entry(_ name: String, _ tensor: Tensor) -> TensorDirectory.Entry {
        TensorDirectory.Entry(
            name: name, shape: tensor.view.shape, typeName: tensor.type.label, elementType: tensor.type.elementType,
            file: archive.file, byteOffset: tensor.view.record.entry.dataOffset + tensor.view.byteOffset,
            byteCount: tensor.view.byteCount, view: tensor.view)
    }

    /// The tensor that these arguments, whose kinds the reader of the pickle has checked, rebuild.
    private func tensor(
        _ arguments: PickleTuple, _ pickle: Pickle, _ name: String
    ) throws(CheckpointError) -> Tensor {
        let values = pickle.elements[arguments.range]
        let first = values.startIndex
        guard case .storage(let storage) = values[first], case .integer(let offset) = values[first + 1],
            case .tuple(let size) = values[first + 2], case .tuple(let steps) = values[first + 3]
        else { throw malformed("tensor \(name.quoted) is not one", pickleRecord) }
        let (record, storedType) = try self.storage(storage, pickle, name)
        var type = storedType
        if values.count > 6, case .global(.elementType(let own)) = values[first + 6] { type = own }
        guard let type else { throw malformed("tensor \(name.quoted) has no element type", pickleRecord) }
        let (shape, strides) = (integers(size, pickle), integers(steps, pickle))
        let byteOffset = try byteOffset(offset, shape, strides, type, record, name)
        return Tensor(
            type: type,
            view: StorageView(
                record: record, byteOffset: byteOffset, shape: shape, strides: strides,
                elementByteCount: type.byteCount))
    }

    private func integers(_ tuple: PickleTuple, _ pickle: Pickle) -> [Int] {
        pickle.elements(of: tuple).compactMap { if case .integer(let value) = $0 { value } else { nil } }
    }

    /// The record of a storage, and the type of its elements; nil for a storage of bytes.
    private func storage(
        _ tuple: PickleTuple, _ pickle: Pickle, _ name: String
    ) throws(CheckpointError) -> (ArchiveRecord, TorchElementType?) {
        let values = pickle.elements[tuple.range]
        let first = values.startIndex
        guard case .string(let key) = values[first + 2], case .integer(let count) = values[first + 4] else {
            throw malformed("the storage of tensor \(name.quoted) is none", pickleRecord)
        }
        let recordName = "\(root)data/\(pickle.strings[key])"
        guard let record = archive[recordName] else {
            throw malformed("the record \(recordName.quoted) of tensor \(name.quoted) is missing", pickleRecord)
        }
        var type: TorchElementType?
        if case .global(.storage(let known)) = values[first + 1] { type = known }
        let (byteCount, overflow) = count.multipliedReportingOverflow(by: type?.byteCount ?? 1)
        guard !overflow, byteCount == record.byteCount else {
            throw malformed(
                "the storage of tensor \(name.quoted) has \(count) elements, which are not \(record.byteCount) bytes",
                record)
        }
        return (record, type)
    }

    /// Where the first element stands in its record, once all of them are known to be in it.
    private func byteOffset(
        _ offset: Int, _ shape: [Int], _ strides: [Int], _ type: TorchElementType, _ record: ArchiveRecord,
        _ name: String
    ) throws(CheckpointError) -> Int {
        let subject = "tensor \(name.quoted) of shape \(describe(shape))"
        guard let elementCount = TensorDirectory.elementCount(of: shape),
            !elementCount.multipliedReportingOverflow(by: type.byteCount).overflow
        else { throw malformed("\(subject) has more elements than can be counted", pickleRecord) }
        let capacity = record.byteCount / type.byteCount
        guard offset >= 0, offset <= capacity, strides.allSatisfy({ $0 >= 0 }),
            elementCount == 0 || reaches(shape, strides, atMost: capacity - offset)
        else {
            throw malformed(
                "\(subject), with strides \(describe(strides)) from element \(offset) on, is not within the \(capacity) elements "
                    + "of its storage", pickleRecord)
        }
        return offset * type.byteCount
    }

    /// A shape for a message.
    private func describe(_ lengths: [Int]) -> String {
        let limit = 8
        return lengths.count > limit ? "\(lengths.prefix(limit)) and \(lengths.count - limit) more" : "\(lengths)"
    }

    /// Whether the last element of a view is among the first `limit`.
    private func reaches(_ shape: [Int], _ strides: [Int], atMost limit: Int) -> Bool {
        var last = 0
        for (length, stride) in zip(shape, strides) {
            let (distance, overflow) = (length - 1).multipliedReportingOverflow(by: stride)
            guard !overflow, distance < limit - last else { return false }
            last += distance
        }
        return last < limit
    }
}
