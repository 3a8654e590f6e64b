// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target is built with the same strict settings: data races, unsafe memory, leaking imports and
/// any warning are errors.
let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
    .treatAllWarnings(as: .error),
]

/// A Swift library of this package; its dependencies are listed from the nearest room down.
func room(_ name: String, _ dependencies: Target.Dependency...) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// The tests of one room, with the fixtures that stand beside them.
func tests(of name: String, _ dependencies: Target.Dependency..., fixtures: Bool = false) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: [.byName(name: name)] + dependencies,
        exclude: fixtures ? ["Fixtures"] : [],
        swiftSettings: strict)
}

let package = Package(
    name: "straightedge",
    products: [.executable(name: "straightedge", targets: ["straightedge"])],
    dependencies: [
        // Subcommands, typed options, help texts and shell completions, as Swift's own tools have them.
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        .systemLibrary(name: "COpenBLAS", providers: [.apt(["libopenblas-dev"])]),
        // PyTorch's archives are ZIP files: zlib checks their records, and unpacks those that other programs deflated.
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        // Models are named by their SHA-256, and one of 14 GB is hashed in seconds by the processor's instructions for it.
        .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),
        // Regular expressions with Unicode classes and lookahead, compiled to machine code, with limits on their work.
        .systemLibrary(name: "CPCRE2", providers: [.apt(["libpcre2-dev"])]),
        // The seam to the kernel libraries, which are built by CMake and opened at run time.
        .target(name: "CKernels"),
        room("Tensors"),
        room("Compute", "Tensors", "COpenBLAS", "CKernels"),
        room("LinearAlgebra", "Compute", "Tensors"),
        room("Checkpoints", "Tensors", "COpenSSL", "CZlib"),
        room("Tokenizers", "Checkpoints", "CPCRE2"),
        room("Transformers", "Checkpoints", "LinearAlgebra", "Compute", "Tensors"),
        room("Linearity", "Transformers", "Checkpoints", "LinearAlgebra", "Compute", "Tensors"),
        room(
            "Evaluation", "Linearity", "Transformers", "Tokenizers", "Checkpoints", "LinearAlgebra", "Compute",
            "Tensors"),
        room(
            "Pruning", "Evaluation", "Linearity", "Transformers", "Tokenizers", "Checkpoints", "LinearAlgebra",
            "Compute", "Tensors"),
        room(
            "Reports", "Pruning", "Evaluation", "Linearity", "LinearAlgebra", "Transformers", "Tokenizers",
            "Checkpoints", "Compute", "Tensors"),
        room("Conformance", "Compute", "Tensors"),
        room(
            "Benchmarking", "Conformance", "Linearity", "Transformers", "Checkpoints", "Compute", "Tensors"),
        .executableTarget(
            name: "straightedge",
            dependencies: [
                "Benchmarking", "Conformance", "Reports", "Pruning", "Evaluation", "Linearity", "Transformers",
                "Tokenizers", "Checkpoints", "LinearAlgebra", "Compute", "Tensors",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        // Damaged and hostile input for as long as one likes: a test tool, not part of the product.
        .executableTarget(
            name: "mutations",
            dependencies: [
                "Reports", "Linearity",
                "Transformers", "Tokenizers", "Checkpoints", "Compute", "Tensors",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Mutations", swiftSettings: strict),
        // What tests of several rooms use.
        .target(
            name: "TestSupport", dependencies: ["Compute"], path: "Tests/TestSupport", swiftSettings: strict),
        tests(of: "Tensors"),
        tests(of: "Compute", "Conformance", "Tensors", "TestSupport"),
        tests(of: "LinearAlgebra", "Checkpoints", "Compute", "Tensors", "TestSupport", fixtures: true),
        tests(of: "Checkpoints", "Tensors", "TestSupport", fixtures: true),
        tests(of: "Tokenizers", "Checkpoints", "TestSupport", fixtures: true),
        tests(of: "Transformers", "Checkpoints", "Compute", "Tensors", "TestSupport", fixtures: true),
        tests(
            of: "Linearity", "Transformers", "LinearAlgebra", "Checkpoints", "Compute", "Tensors", "TestSupport",
            fixtures: true),
        tests(
            of: "Evaluation", "Linearity", "Transformers", "Tokenizers", "Checkpoints", "Compute", "Tensors",
            "TestSupport", fixtures: true),
        tests(
            of: "Pruning", "Linearity", "Transformers", "Tokenizers", "LinearAlgebra", "Checkpoints", "Compute",
            "Tensors", "TestSupport"),
        tests(of: "Reports", "Linearity", "Transformers", "Tokenizers", "Checkpoints", "Compute", "TestSupport"),
        tests(of: "Benchmarking", "Checkpoints", "Conformance", "Compute", "Tensors", "TestSupport"),
        tests(of: "straightedge", "Checkpoints", "TestSupport", fixtures: true),
        .testTarget(name: "MutationsTests", dependencies: ["mutations", "TestSupport"], swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
