/// What can be wrong with a checkpoint. Every message names the file and the place, says what was expected, and what
/// to do about it.
public enum CheckpointError: Error, Equatable {
    case missing(path: String)
    case isFolder(path: String)
    case notRegularFile(path: String)
    case unreadable(path: String, reason: String)
    case empty(path: String)
    case brokenLink(path: String, target: String)
    case outOfMemory(path: String, byteCount: Int)
    /// A small text that stands in the place of a file until Git LFS fetches it.
    case gitLFSPointer(path: String)
    /// The file is of some other kind than a checkpoint.
    case wrongFormat(path: String, looksLike: String, remedy: String)
    /// The folder lacks what a model folder has.
    case incompleteFolder(path: String, lacks: String, remedy: String)
    /// There are several files of weights, and none has the name that would decide.
    case weightsChoice(path: String, names: [String])
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
    /// A ZIP archive that is not read.
    case unsupportedArchive(path: String, problem: String, remedy: String)
    /// A file of PyTorch's format from before 1.6.
    case legacyPyTorch(path: String)
    /// The pickle of an archive is truncated or contradicts its format.
    case malformedPickle(path: String, record: String, byteOffset: Int, problem: String)
    /// The pickle of an archive has what no state dict needs.
    case refusedPickle(path: String, record: String, byteOffset: Int, what: String)
    /// A pickle holds no state dict, or several; nil for keys where its root is no dictionary.
    case stateDictionaryChoice(path: String, keys: [String]?)
    /// A view that repeats the elements of its storage.
    case expandedTensor(path: String, name: String, shape: [Int])
    /// A model's name with a part that no model's name has.
    case modelName(name: String, problem: String)
    /// A model that is neither a path nor in the cache of the Hugging Face Hub.
    case notCached(name: String, lacks: String, command: String)
    /// A model of the cache that lacks files.
    case incompleteSnapshot(name: String, problem: String, command: String)
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
        case .brokenLink(let path, let target):
            "\(path): this is a link to \(target.legible), which is not there. Download the file again."
        case .outOfMemory(let path, let byteCount):
            "\(path): there is no memory for the \(byteCount) bytes of one of its tensors. End other programs, or save the "
                + "model again as safetensors, which is read in place."
        case .gitLFSPointer(let path):
            "\(path): this is a Git LFS pointer, not the file itself. Fetch the content with `git lfs pull` in its folder, "
                + "or download the model with `hf download`."
        case .wrongFormat(let path, let looksLike, let remedy):
            "\(path): this looks like \(looksLike); expected a GGUF file, or a Hugging Face folder with config.json "
                + "and safetensors files or PyTorch archives. \(remedy)"
        case .noMatrix(let path, let looksLike):
            "\(path): this looks like \(looksLike); expected a NumPy file (.npy) or a safetensors file. Fetch, unpack or "
                + "convert it: numpy.save and safetensors write what is read here."
        case .incompleteFolder(let path, let lacks, let remedy):
            "\(path): the folder has no \(lacks); expected a GGUF file, or a Hugging Face folder with config.json "
                + "and safetensors files or PyTorch archives. \(remedy)"
        case .weightsChoice(let path, let names):
            "\(path): the folder has several files of weights: \(Self.list(names)). Name one of them."
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
            "\(path): \(shard.quoted) is not the plain name of a .safetensors or .bin file in the folder. Correct the index."
        default: archiveDescription
        }
    }

    private var archiveDescription: String {
        switch self {
        case .unsupportedArchive(let path, let problem, let remedy): "\(path): \(problem). \(remedy)"
        case .legacyPyTorch(let path):
            "\(path): this is a file of PyTorch's format from before 1.6, which is no archive. Convert it: "
                + "torch.save(torch.load(PATH, map_location=\"cpu\", weights_only=True), OTHER), or save the model as "
                + "safetensors with save_pretrained."
        case .malformedPickle(let path, let record, let byteOffset, let problem):
            "\(path): in \(record.quoted) at byte \(byteOffset): \(problem). The file is damaged, or torch.save did not "
                + "write it: compare its checksum with the source."
        case .refusedPickle(let path, let record, let byteOffset, let what):
            "\(path): in \(record.quoted) at byte \(byteOffset): \(what) is nothing that a state dict needs; it was not "
                + "executed. If you trust the file, load it with PyTorch and save the weights alone: "
                + "torch.save(model.state_dict(), OTHER)."
        case .stateDictionaryChoice(let path, let keys): "\(path): " + Self.choice(ofStatesUnder: keys)
        case .expandedTensor(let path, let name, let shape):
            "\(path): tensor \(name.quoted) of shape \(shape) repeats the elements of a smaller storage. Save it again as "
                + "tensor.contiguous()."
        default: nameDescription
        }
    }

    private var nameDescription: String {
        switch self {
        case .modelName(let name, let problem):
            "\(name.legible): \(problem). Name a model as ORGANIZATION/NAME or ORGANIZATION/NAME@REVISION, or a path that "
                + "exists."
        case .notCached(let name, let lacks, let command):
            "\(name.legible): no such file or folder, and \(lacks). Check the path, or fetch the model with `\(command)`."
        case .incompleteSnapshot(let name, let problem, let command):
            "\(name.legible): the model in the cache is not complete. \(problem) Fetch the rest with `\(command)`."
        default: arrayDescription
        }
    }

    private static func choice(ofStatesUnder keys: [String]?) -> String {
        guard let keys else {
            return "the file holds no dictionary. Save the weights alone: torch.save(model.state_dict(), OTHER)."
        }
        return "the file holds no state dict, or several; its keys are \(list(keys)). Save the one that is the model: "
            + "torch.save(torch.load(PATH, weights_only=True)[KEY], OTHER)."
    }

    /// Some names for a message.
    private static func list(_ names: [String]) -> String {
        let limit = 12
        return names.isEmpty
            ? "none"
            : names.prefix(limit).map(\.quoted).joined(separator: ", ")
                + (names.count > limit ? " and \(names.count - limit) more" : "")
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
