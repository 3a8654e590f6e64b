@testable import Conformance
import Tensors
import Testing

/// The judge's own conversions to sixteen bits.
@Suite struct SixteenBitFloatTests {
    @Test(arguments: [ElementType.float16, .bfloat16])
    func bitsAndValuesAgree(_ type: ElementType) throws {
        let format = try #require(SixteenBitFloat(type))
        for bits in UInt16.min...UInt16.max {
            let want =
                type == .float16
                ? Double(Float16(bitPattern: bits)) : Double(Float(bitPattern: UInt32(bits) << 16))
            let value = format.value(bits)
            if want.isNaN {
                #expect(value.isNaN && format.value(format.bits(value)).isNaN)
            } else {
                #expect(value == want && format.bits(want) == bits && format.rounded(want) == want)
            }
        }
    }

    @Test(arguments: [ElementType.float16, .bfloat16])
    func tiesGoToTheEvenNeighbour(_ type: ElementType) throws {
        let format = try #require(SixteenBitFloat(type))
        let infinity = format.bits(.infinity)
        for low in 0..<infinity - 1 {
            let (below, above) = (format.value(low), format.value(low + 1))
            let middle = (below + above) / 2
            #expect(format.bits(middle) == low + low % 2)
            #expect(format.bits(middle.nextDown) == low && format.bits(middle.nextUp) == low + 1)
            #expect(format.bits(-middle) == 0x8000 | (low + low % 2))
        }
        let largest = format.value(infinity - 1)
        let limit = largest + (largest - format.value(infinity - 2)) / 2
        #expect(format.bits(limit.nextDown) == infinity - 1 && format.bits(limit) == infinity)
    }
}
