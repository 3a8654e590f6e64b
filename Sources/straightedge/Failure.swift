import ArgumentParser
import Evaluation
@unsafe @preconcurrency import Glibc
import LinearAlgebra
import Linearity
import Pruning
import Reports
import Transformers

/// How the program ends when it cannot do what was asked.
enum Failure {
    /// Exit code for work that failed: a damaged file, no memory, no disk.
    static let failed = ExitCode(1)
    /// Exit code for work that is refused because its result would mean nothing.
    static let refused = ExitCode(2)

    /// Runs a command's work; an error becomes one message on standard error and an exit code.
    static func reporting(_ work: () throws -> Void) throws {
        do {
            try work()
            try flushOutput()
        } catch let code as ExitCode {
            throw code
        } catch let error as ValidationError {
            throw error
        } catch {
            report("\(error)")
            throw isRefusal(error) ? refused : failed
        }
    }

    /// Holds what was printed to be written: a full disk shows when the buffers are emptied.
    private static func flushOutput() throws {
        guard unsafe fflush(stdout) != 0 || ferror(stdout) != 0 else { return }
        report("standard output could not be written: \(unsafe String(cString: strerror(errno)))")
        throw failed
    }

    /// A message on standard error, in the form compilers use.
    static func report(_ message: String) { ProgressLine.write("straightedge: error: \(message)\n") }

    static func warn(_ message: String) { ProgressLine.write("straightedge: warning: \(message)\n") }

    /// Whether it is work whose result would mean nothing.
    static func isRefusal(_ error: any Error) -> Bool {
        switch error as? PruningError {
        case .linearity(let error): return isRefusal(error)
        case .evaluation(let error): return isRefusal(error)
        case .transformer, .nonFiniteRow: return false
        case .map(let error, _): return isRefusal(error)
        case nil: break
        default: return true
        }
        switch error as? EvaluationError {
        case .nothingScored, .otherVocabulary, .otherTokens: return true
        case .linearity(let error): return isRefusal(error)
        case .transformer, .compute, .tokenizer, .choiceLine, .noChoices, nil: break
        }
        switch error as? MapError {
        case .tooFewRows, .choice, .rank: return true
        default: break
        }
        if error is LayerSelectionError || error is PlanOfAnotherModel { return true }
        return switch error as? LinearityError {
        case .tooFewTokens, .layers, .memory, .rowCounts, .tooFewRows, .comparisonMemory: true
        case .transformer, .store, .compute, .notFinite, .magnitude, nil: false
        }
    }
}
