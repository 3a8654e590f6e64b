import Linearity
import Testing

@Suite("Names of checkpoints tell how far they were trained")
struct TrainingProgressTests {
    @Test(
        "steps and tokens are read as training runs write them",
        arguments: [
            ("step1000", 1000, nil), ("step-1000", 1000, nil), ("checkpoint-1000", 1000, nil), ("1000", 1000, nil),
            ("global_step1000", 1000, nil), ("globalstep1000", 1000, nil), ("iter_0001000", 1000, nil),
            ("ckpt_300", 300, nil), ("step0", 0, nil), ("STEP_7", 7, nil), ("epoch=3-step=1000", 1000, nil),
            ("checkpoint-2-step-1000", 1000, nil), ("stage1-step1000-tokens4B", 1000, 4_000_000_000),
            ("step1000-tokens-4B", 1000, 4_000_000_000), ("TinyLlama-1.1B-step-50K-105b", 50_000, 105_000_000_000),
            ("TinyLlama-1.1B-intermediate-step-1431k-3T", 1_431_000, 3_000_000_000_000),
            ("step1.5k", 1500, nil), ("4.2B-tokens", nil, 4_200_000_000), ("tokens400M", nil, 400_000_000),
        ] as [(String, Int?, Int?)])
    func reads(name: String, step: Int?, tokenCount: Int?) {
        #expect(TrainingProgress(name: name) == TrainingProgress(step: step, tokenCount: tokenCount))
    }

    @Test(
        "other numbers are not taken for steps",
        arguments: [
            "main", "Llama-2-7B", "pythia-70m", "step", "step-", "stepwise-12", "footstep", "1.5", "-5", "v2",
            "step99999999999999999999", "", "stage1", "TinyLlama-1.1B", "step1x", "１０００",
        ])
    func leaves(name: String) {
        #expect(TrainingProgress(name: name) == TrainingProgress())
    }

    @Test("the revision, the last component and the folder above are looked at, in this order")
    func paths() {
        let steps = [
            "runs/step5/", "runs/step5/model.gguf", "org/name@step5", "step9/step5", "a/model-step5.gguf",
            "step9/name@step5", "./5",
        ].map { TrainingProgress(path: $0).step }
        #expect(steps == [Int?](repeating: 5, count: 7))
        #expect(TrainingProgress(path: "step5/hf/model.gguf").step == nil)
    }
}
