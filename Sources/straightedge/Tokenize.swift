import ArgumentParser
import Checkpoints
import Glibc
import Tokenizers

/// What special tokens are that stand in a text by name.
enum SpecialTokenMode: String, ExpressibleByArgument, CaseIterable {
    /// Their ids, as Hugging Face's tokenizers do by default.
    case parse
    /// Text as any other.
    case text
}

struct Tokenize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Turn text into a model's token ids, and back.",
        discussion: """
            JSON strings in, one a line; JSON arrays of ids out, one a line. With --decode the other way round.

            EXAMPLES
              echo '"Hello, world"' | straightedge tokenize model.gguf
              straightedge tokenize model.gguf --bos on texts.jsonl > ids.jsonl
              straightedge tokenize model.gguf --decode ids.jsonl
              straightedge tokenize HuggingFaceTB/SmolLM2-135M texts.jsonl
            """)

    @OptionGroup var model: ModelArgument

    @Argument(help: "Lines to read (default: standard input).", completion: .file(extensions: ["jsonl"]))
    var file: String?

    @Option(
        help: """
            Put the beginning-of-sequence token first: as the model does, with the end where it puts one, always, or never.
            """)
    var bos: BeginningOfSequence = .model

    @Option(help: "Special tokens that stand in the text by name: their ids (parse), or text as any other.")
    var specialTokens: SpecialTokenMode = .parse

    @Flag(help: "Ids in, text out.")
    var decode = false

    func run() throws {
        try Failure.reporting {
            let tokenizer = try Tokenizer(try model.openCheckpoint())
            let beginning = try beginning(tokenizer)
            let end = bos == .model ? tokenizer.sequenceSuffix : []
            let lines = try LineReader(path: file)
            while let line = try lines.next() {
                let place = "\(lines.name), line \(lines.lineNumber)"
                let json = try JSON.parse(line, source: place)
                if decode {
                    let ids = try ids(json, place)
                    let text: String
                    do { text = try tokenizer.decode(ids) } catch {
                        throw InputError(description: "\(place): \(error)")
                    }
                    print(JSON.string(text).serialized(indented: false))
                } else {
                    guard let text = json.string else { throw InputError(description: "\(place): not a JSON string") }
                    let ids = try tokenizer.encode(text, specialTokens: specialTokens == .parse ? .parse : .asText)
                    print("[" + (beginning + ids + end).map(String.init).joined(separator: ",") + "]")
                }
            }
        }
    }

    private func beginning(_ tokenizer: Tokenizer) throws -> [Int32] {
        guard bos.isOn(tokenizer) else { return [] }
        guard tokenizer.sequencePrefix.isEmpty else { return tokenizer.sequencePrefix }
        guard let id = tokenizer.beginningOfSequence else {
            throw InputError(
                description: "\(tokenizer.path): the tokenizer has no beginning-of-sequence token; give --bos off")
        }
        return [id]
    }

    private func ids(_ json: JSON, _ place: String) throws -> [Int32] {
        guard let array = json.array else { throw InputError(description: "\(place): not a JSON array of ids") }
        return try array.map { element in
            guard let id = element.integer.flatMap({ Int32(exactly: $0) }) else {
                throw InputError(description: "\(place): \(element.serialized(indented: false)) is not a token id")
            }
            return id
        }
    }
}

/// What is wrong with a line of input.
struct InputError: Error, CustomStringConvertible {
    let description: String
}

/// Lines of a file or of standard input, as bytes.
final class LineReader {
    let name: String
    /// Of the line that was read last, from 1.
    private(set) var lineNumber = 0
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var begin = 0
    private var isAtEnd = false

    /// - Parameter path: nil or `-` for standard input.
    init(path: String?) throws {
        guard let path, path != "-" else {
            name = "standard input"
            descriptor = STDIN_FILENO
            return
        }
        name = path
        descriptor = unsafe open(path, O_RDONLY)
        guard descriptor >= 0 else {
            throw InputError(description: "\(path) cannot be read: \(unsafe String(cString: strerror(errno)))")
        }
    }

    deinit {
        if descriptor != STDIN_FILENO { close(descriptor) }
    }

    /// The next line without its end, or nil after the last; empty lines are passed over.
    func next() throws -> [UInt8]? {
        var searched = begin
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(buffer[begin..<end])
                begin = end + 1
                searched = begin
                lineNumber += 1
                if !line.isEmpty { return line }
                continue
            }
            if isAtEnd {
                guard begin < buffer.count else { return nil }
                defer { begin = buffer.count }
                lineNumber += 1
                return Array(buffer[begin...])
            }
            buffer.removeFirst(begin)
            searched = buffer.count
            begin = 0
            try fill()
        }
    }

    private func fill() throws {
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        let count = unsafe read(descriptor, &chunk, chunk.count)
        if count < 0 && errno == EINTR { return }
        guard count >= 0 else {
            throw InputError(description: "\(name) cannot be read: \(unsafe String(cString: strerror(errno)))")
        }
        if count == 0 { isAtEnd = true }
        buffer += chunk[..<count]
    }
}
