public import Checkpoints

/// What can be wrong with a tokenizer, a text or token ids. Every message names the file and the place, says what was
/// expected, and what to do about it.
public enum TokenizerError: Error, Equatable {
    /// A file could not be read.
    case checkpoint(CheckpointError)
    /// The model has no tokenizer that is read here.
    case noTokenizer(path: String)
    /// The tokenizer asks for something that is not done here: refused, because ids would be wrong without a word.
    case unsupported(path: String, feature: String, found: String, known: [String])
    /// The tokenizer's file contradicts itself or its format.
    case malformed(path: String, place: String, problem: String)
    /// A pattern of the tokenizer took too long, or its steps make too much, of a text.
    case tooMuchWork(path: String, place: String, problem: String)
    /// A token id that the vocabulary does not have; `index` is its place among the ids to be decoded.
    case unknownID(id: Int32, index: Int, vocabularySize: Int)
    /// `byteOffset` is that of the first byte that is not part of a character.
    case notUTF8(source: String, byteOffset: Int)
    case emptyText(source: String)
    /// A text shorter than the chunks that were asked of it.
    case tooFewChunks(source: String, asked: Int, available: Int, characterCount: Int)
    /// A line, counted from 1, of a file of token ids.
    case tokenLine(source: String, line: Int, problem: String)
    /// `position` counts from 0 in the line; `line` counts from 1.
    case idOutsideVocabulary(source: String, line: Int, position: Int, id: Int, vocabularySize: Int)
    case noSequences(source: String)
    case argument(name: String, value: Int, expected: String)
}

extension TokenizerError: CustomStringConvertible {
    public var description: String { tokenizerDescription ?? corpusDescription }

    private var tokenizerDescription: String? {
        switch self {
        case .checkpoint(let error): error.description
        case .noTokenizer(let path):
            "\(path): the folder has no tokenizer.json, tokenizer.model, or vocab.json with merges.txt. Download one from where the model came from, or save the "
                + "tokenizer again with save_pretrained; or give token ids instead of a text."
        case .unsupported(let path, let feature, let found, let known):
            "\(path): \(feature): \(found) is not supported; known: \(known.joined(separator: ", ")). Make the ids with the "
                + "model's own library and give them instead of a text."
        case .malformed(let path, let place, let problem):
            "\(path): \(place): \(problem). Download or convert the tokenizer again."
        case .tooMuchWork(let path, let place, let problem):
            "\(path): \(place): \(problem). If the tokenizer is what it should be, make the ids with the model's own library "
                + "and give them instead of a text."
        case .unknownID(let id, let index, let vocabularySize):
            "token id \(id) at index \(index) is not in the vocabulary of \(vocabularySize) ids. Check that the ids were "
                + "made for this model."
        default: nil
        }
    }

    private var corpusDescription: String {
        switch self {
        case .notUTF8(let source, let byteOffset):
            "\(source): not valid UTF-8 at byte \(byteOffset). Convert the text to UTF-8."
        case .emptyText(let source): "\(source): the text is empty. Name a file with text."
        case .tooFewChunks(let source, let asked, let available, let characterCount):
            "\(source): the text has \(available) chunks of \(characterCount) characters, \(asked) were asked for. Ask for "
                + "fewer or shorter ones, or give a longer text."
        case .tokenLine(let source, let line, let problem):
            "\(source): line \(line): \(problem); expected one JSON array of token ids a line."
        case .idOutsideVocabulary(let source, let line, let position, let id, let vocabularySize):
            "\(source): line \(line), position \(position): token id \(id) is outside the vocabulary, "
                + "0..<\(vocabularySize). Check that the ids were made for this model."
        case .noSequences(let source):
            "\(source): the file has no token ids; expected one JSON array of token ids a line."
        case .argument(let name, let value, let expected): "\(name) is \(value); expected \(expected)."
        default: ""
        }
    }
}
