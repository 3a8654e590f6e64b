/// What can be wrong with a checkpoint. Every message names the file and the place, says what was expected, and what
/// to do about it.
public enum CheckpointError: Error, Equatable {
    case missing(path: String)
    case isFolder(path: String)
    case notRegularFile(path: String)
    case unreadable(path: String, reason: String)
    case empty(path: String)
    /// The file is of some other kind than a checkpoint.
    case wrongFormat(path: String, looksLike: String, remedy: String)
    /// The folder lacks what a model folder has.
    case incompleteFolder(path: String, lacks: String, remedy: String)
    /// The file is truncated or contradicts its format.
    case malformed(path: String, byteOffset: Int, problem: String)
    case malformedJSON(JSONError)
    /// A JSON file or a header has a member of the wrong kind.
    case wrongMember(path: String, place: String, expected: String, found: String)
    case unsupportedVersion(path: String, found: String)
    case metadataMissing(path: String, key: String, expected: String)
    case metadataWrong(path: String, key: String, expected: String, found: String)
    case tensorMissing(path: String, name: String, nearest: [String])
    case tensorShape(path: String, name: String, expected: [Int], found: [Int])
    case unsupportedElementType(path: String, name: String, type: String)
    case shardMissing(path: String, shard: String, tensor: String)
    case shardLacksTensor(path: String, shard: String, tensor: String)
    case unsafeShardName(path: String, shard: String)
    /// The file is of some other kind than a matrix.
    case noMatrix(path: String, looksLike: String)
    /// An array of a kind that is not read.
    case unsupportedArray(path: String, problem: String, remedy: String)
    /// No tensor has the name that was asked for, or none was asked for and the file does not hold exactly one matrix.
    case tensorChoice(path: String, asked: String?, names: [String])
}

extension CheckpointError: CustomStringConvertible {
    public var description: String {
        fileDescription ?? contentDescription
    }

    private var fileDescription: String? {
        switch self {
        case .missing(let path): "\(path): no such file or folder. Check the path."
        case .isFolder(let path): "\(path): this is a folder; expected a file. Name a file in it."
        case .notRegularFile(let path):
            "\(path): this is a device, a pipe or a socket; expected a regular file. Copy its content to a file first."
        case .unreadable(let path, let reason):
            "\(path): cannot be read: \(reason). Check its permissions and its disk."
        case .empty(let path): "\(path): the file is empty. Download or copy it again."
        case .wrongFormat(let path, let looksLike, let remedy):
            "\(path): this looks like \(looksLike); expected a GGUF file, or a Hugging Face folder with config.json "
                + "and safetensors files. \(remedy)"
        case .noMatrix(let path, let looksLike):
            "\(path): this looks like \(looksLike); expected a NumPy file (.npy) or a safetensors file. Fetch, unpack or "
                + "convert it: numpy.save and safetensors write what is read here."
        case .incompleteFolder(let path, let lacks, let remedy):
            "\(path): the folder has no \(lacks); expected a GGUF file, or a Hugging Face folder with config.json "
                + "and safetensors files. \(remedy)"
        default: nil
        }
    }

    private var contentDescription: String {
        switch self {
        case .malformed(let path, let byteOffset, let problem):
            "\(path): at byte \(byteOffset): \(problem). The file is truncated or damaged: compare its size and "
                + "checksum with the source, and download or convert it again."
        case .malformedJSON(let error): "\(error) The file is damaged: download or write it again."
        case .wrongMember(let path, let place, let expected, let found):
            "\(path): \(place): expected \(expected), found \(found). Correct the file or download it again."
        case .unsupportedVersion(let path, let found):
            "\(path): \(found); expected version 2 or 3, little-endian. Convert the model again with a current converter."
        case .metadataMissing(let path, let key, let expected):
            "\(path): the metadata has no key \(key.quoted); expected \(expected). Convert the model again with a current "
                + "converter."
        case .metadataWrong(let path, let key, let expected, let found):
            "\(path): metadata key \(key.quoted): expected \(expected), found \(found). Convert the model again with a "
                + "current converter."
        default: tensorDescription
        }
    }

    private var tensorDescription: String {
        switch self {
        case .tensorMissing(let path, let name, let nearest):
            "\(path): there is no tensor \(name.quoted)"
                + (nearest.isEmpty
                    ? "" : "; the nearest names are \(nearest.map(\.quoted).joined(separator: ", "))")
                + ". The file is incomplete or of another model family: check it against its source."
        case .tensorShape(let path, let name, let expected, let found):
            "\(path): tensor \(name.quoted): expected the shape \(expected), found \(found). The configuration and the "
                + "weights do not belong together: fetch both from the same source."
        case .unsupportedElementType(let path, let name, let type):
            "\(path): tensor \(name.quoted): elements of type \(type) are not read. Convert the model to F32, F16 or BF16, "
                + "or in GGUF to Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, IQ4_NL or Q2_K to Q6_K."
        case .shardMissing(let path, let shard, let tensor):
            "\(path): the shard \(shard.quoted), which holds tensor \(tensor.quoted), is missing from the folder. Download it."
        case .shardLacksTensor(let path, let shard, let tensor):
            "\(path): tensor \(tensor.quoted) is not in the shard \(shard.quoted) where the index puts it. Download the index "
                + "and the shards from the same source."
        case .unsafeShardName(let path, let shard):
            "\(path): \(shard.quoted) is not the plain name of a .safetensors file in the folder. Correct the index."
        default: arrayDescription
        }
    }

    private var arrayDescription: String {
        switch self {
        case .unsupportedArray(let path, let problem, let remedy): "\(path): \(problem). \(remedy)"
        case .tensorChoice(let path, let asked, let names):
            (asked.map { "\(path): there is no tensor \($0.quoted). " } ?? "\(path): ") + Self.choice(of: names)
        default: ""
        }
    }

    private static func choice(of names: [String]) -> String {
        if names.isEmpty {
            return
                "No tensor in it is a matrix, of two dimensions and of type F64, F32, F16 or BF16. Check what wrote the "
                + "file."
        }
        let limit = 40
        return (names.count == 1 ? "One tensor" : "\(names.count) tensors")
            + " in it can be read as a matrix; name one: "
            + names.prefix(limit).map(\.quoted).joined(separator: ", ")
            + (names.count > limit ? " and \(names.count - limit) more." : ".")
    }
}
