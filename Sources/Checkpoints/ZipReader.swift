/// Reads the directory at the end of a ZIP archive, and checks each record's own header against it.
///
/// Two programs that read one archive must not find two contents in it: what is said twice has to be said alike,
/// records must not overlap, and nothing is guessed where the directory is damaged.
///
/// The format: PKWARE's APPNOTE.TXT, 6.3.10
struct ZipReader {
    private var reader: ByteReader

    init(_ file: MappedFile) { reader = ByteReader(file) }

    /// Whether the file begins as an archive with records does.
    static func matches(_ file: MappedFile) -> Bool {
        unsafe file.bytes.starts(with: "PK\u{3}\u{4}".utf8)
    }

    private enum Signature {
        static let local: UInt32 = 0x0403_4B50
        static let central: UInt32 = 0x0201_4B50
        static let descriptor: UInt32 = 0x0807_4B50
        static let end: UInt32 = 0x0605_4B50
        static let end64: UInt32 = 0x0606_4B50
        static let locator64: UInt32 = 0x0706_4B50
    }

    /// The records in the order of the directory.
    mutating func readEntries() throws(CheckpointError) -> [ZipEntry] {
        let end = try readEnd()
        reader = ByteReader(reader.file, offset: end.directory.lowerBound)
        var centrals: [Central] = []
        centrals.reserveCapacity(end.entryCount)
        for index in 0..<end.entryCount { centrals.append(try readCentral(index, end: end.directory.upperBound)) }
        guard reader.offset == end.directory.upperBound else {
            throw reader.malformed(
                "the archive's directory has more than the \(end.entryCount) entries that it counts", at: reader.offset)
        }
        var entries: [ZipEntry] = []
        var extents: [(range: Range<Int>, index: Int)] = []
        for (index, central) in centrals.enumerated() {
            let (entry, extent) = try readLocal(central, end: end.directory.lowerBound)
            entries.append(entry)
            extents.append((extent, index))
        }
        try requireApart(extents, entries)
        return entries
    }

    private func requireApart(
        _ extents: [(range: Range<Int>, index: Int)], _ entries: [ZipEntry]
    ) throws(CheckpointError) {
        let ordered = extents.sorted { $0.range.lowerBound < $1.range.lowerBound }
        for (first, second) in zip(ordered, ordered.dropFirst())
        where first.range.upperBound > second.range.lowerBound {
            throw reader.malformed(
                "the records \(entries[first.index].name.quoted) and \(entries[second.index].name.quoted) overlap",
                at: second.range.lowerBound)
        }
    }

    private func unsupported(_ problem: String) -> CheckpointError {
        .unsupportedArchive(
            path: reader.file.path, problem: problem,
            remedy: "Save it again with torch.save, or as safetensors with save_pretrained.")
    }
}

// MARK: - The end

extension ZipReader {
    private struct End {
        let entryCount: Int
        /// Where the directory stands.
        let directory: Range<Int>
    }

    private static let endByteCount = 22
    private static let locatorByteCount = 20
    private static let end64ByteCount = 56
    private static let commentByteCountLimit = 0xFFFF
    private static let centralByteCount = 46

    private mutating func readEnd() throws(CheckpointError) -> End {
        let start = try endOffset()
        reader = ByteReader(reader.file, offset: start + 4)
        let disks = (
            try reader.read(UInt16.self, "the number of a disk"), try reader.read(UInt16.self, "the number of a disk")
        )
        let counts = (
            try reader.read(UInt16.self, "the number of entries"),
            try reader.read(UInt16.self, "the number of entries")
        )
        let byteCount = try reader.read(UInt32.self, "the size of the directory")
        let offset = try reader.read(UInt32.self, "the place of the directory")
        if let end64 = try readEnd64(before: start) {
            guard disks == (0, 0) || disks == (.max, .max), counts.0 == counts.1,
                counts.0 == .max || UInt64(counts.0) == end64.count,
                byteCount == .max || UInt64(byteCount) == end64.byteCount,
                offset == .max || UInt64(offset) == end64.offset
            else { throw reader.malformed("the two ends of the archive's directory differ", at: start) }
            return try end(end64.count, end64.byteCount, end64.offset, before: end64.place)
        }
        guard disks == (0, 0) else { throw unsupported("the archive is one of several disks") }
        guard counts.0 == counts.1 else {
            throw reader.malformed("the end of the archive has two counts, \(counts.0) and \(counts.1)", at: start)
        }
        return try end(UInt64(counts.0), UInt64(byteCount), UInt64(offset), before: start)
    }

    /// Where the record stands that ends the archive: the last one whose comment reaches to the end of the file.
    private func endOffset() throws(CheckpointError) -> Int {
        let last = reader.file.byteCount - Self.endByteCount
        for offset in stride(from: last, through: max(0, last - Self.commentByteCountLimit), by: -1) {
            var reader = ByteReader(reader.file, offset: offset)
            guard try reader.read(UInt32.self, "a signature") == Signature.end else { continue }
            try reader.skip(16, "the end of the archive")
            if try Int(reader.read(UInt16.self, "the length of the comment")) == reader.remaining { return offset }
        }
        throw reader.malformed("the archive has no directory at its end", at: reader.file.byteCount)
    }

    private typealias End64 = (count: UInt64, byteCount: UInt64, offset: UInt64, place: Int)

    /// The 64-bit end, where the 32-bit one has a locator before it.
    private func readEnd64(before start: Int) throws(CheckpointError) -> End64? {
        guard start >= Self.locatorByteCount else { return nil }
        let locator = start - Self.locatorByteCount
        var reader = ByteReader(reader.file, offset: locator)
        guard try reader.read(UInt32.self, "a signature") == Signature.locator64 else { return nil }
        let disk = try reader.read(UInt32.self, "the number of a disk")
        let place = try reader.read(UInt64.self, "the place of the directory's end")
        let diskCount = try reader.read(UInt32.self, "the number of disks")
        guard disk == 0, diskCount <= 1 else { throw unsupported("the archive is one of \(diskCount) disks") }
        guard locator >= Self.end64ByteCount, place <= UInt64(locator - Self.end64ByteCount) else {
            throw reader.malformed("the directory's end is said to be at \(place), outside the file", at: locator)
        }
        reader = ByteReader(reader.file, offset: Int(place))
        guard try reader.read(UInt32.self, "a signature") == Signature.end64,
            try reader.read(UInt64.self, "the size of the directory's end") == UInt64(locator - Int(place) - 12)
        else { throw reader.malformed("there is no end of a directory where there should be one", at: Int(place)) }
        try reader.skip(4, "the versions")
        let disks = (try reader.read(UInt32.self, "a disk"), try reader.read(UInt32.self, "a disk"))
        guard disks == (0, 0) else { throw unsupported("the archive is one of several disks") }
        let counts = (try reader.read(UInt64.self, "a count"), try reader.read(UInt64.self, "a count"))
        guard counts.0 == counts.1 else {
            throw reader.malformed("the end has two counts, \(counts.0) and \(counts.1)", at: Int(place))
        }
        return (
            counts.0, try reader.read(UInt64.self, "the size of the directory"),
            try reader.read(UInt64.self, "the place of the directory"), Int(place)
        )
    }

    /// The directory has to stand right before its end.
    private func end(
        _ count: UInt64, _ byteCount: UInt64, _ offset: UInt64, before place: Int
    ) throws(CheckpointError) -> End {
        guard byteCount <= UInt64(place), offset == UInt64(place) - byteCount else {
            throw reader.malformed(
                "the archive's directory of \(byteCount) bytes is said to be at \(offset), which is not before its end",
                at: place)
        }
        guard count <= byteCount / UInt64(Self.centralByteCount) else {
            throw reader.malformed("the archive counts \(count) entries in \(byteCount) bytes", at: place)
        }
        return End(entryCount: Int(count), directory: Int(offset)..<place)
    }
}

// MARK: - The directory

extension ZipReader {
    /// An entry of the directory.
    private struct Central {
        let name: String
        let flags: UInt16
        let method: UInt16
        let checksum: UInt32
        let compressedByteCount: Int
        let byteCount: Int
        let localOffset: Int
    }

    private enum Flag {
        static let encrypted: UInt16 = 1 << 0
        /// Checksum and sizes stand behind the data.
        static let descriptor: UInt16 = 1 << 3
        static let patch: UInt16 = 1 << 5
        static let stronglyEncrypted: UInt16 = 1 << 6
        static let maskedDirectory: UInt16 = 1 << 13
    }

    private enum Method {
        static let stored: UInt16 = 0
        static let deflated: UInt16 = 8
    }

    /// What is 64 bits wide where 32 do not hold it.
    private struct Sizes {
        var byteCount: UInt64
        var compressedByteCount: UInt64
        var localOffset: UInt64
    }

    private mutating func readCentral(_ index: Int, end: Int) throws(CheckpointError) -> Central {
        let place = reader.offset
        let what = "entry \(index) of the archive's directory"
        guard try reader.read(UInt32.self, what) == Signature.central else {
            throw reader.malformed("\(what) does not begin as one", at: place)
        }
        try reader.skip(4, what)
        let flags = try reader.read(UInt16.self, what)
        let method = try reader.read(UInt16.self, what)
        try reader.skip(4, what)
        let checksum = try reader.read(UInt32.self, what)
        let (compressed, plain) = (try reader.read(UInt32.self, what), try reader.read(UInt32.self, what))
        let lengths = (
            name: Int(try reader.read(UInt16.self, what)), extra: Int(try reader.read(UInt16.self, what)),
            comment: Int(try reader.read(UInt16.self, what))
        )
        let disk = try reader.read(UInt16.self, what)
        try reader.skip(6, what)
        let offset = try reader.read(UInt32.self, what)
        let name = try readName(lengths.name, what)
        let extra = try reader.skip(lengths.extra, what)
        try reader.skip(lengths.comment, what)
        guard reader.offset <= end else { throw reader.malformed("\(what) reaches beyond its end", at: place) }
        try requireSupported(name, flags: flags, method: method, disk: disk)

        var sizes = Sizes(
            byteCount: UInt64(plain), compressedByteCount: UInt64(compressed), localOffset: UInt64(offset))
        try widen(&sizes, extra..<extra + lengths.extra, name)
        let limit = UInt64(reader.file.byteCount)
        guard sizes.compressedByteCount <= limit, sizes.localOffset <= limit, sizes.byteCount <= UInt64(Int.max / 2)
        else { throw reader.malformed("the record \(name.quoted) lies beyond the end of the file", at: place) }
        guard method == Method.deflated || sizes.byteCount == sizes.compressedByteCount else {
            throw reader.malformed(
                "the record \(name.quoted) is stored in \(sizes.compressedByteCount) bytes and has \(sizes.byteCount)",
                at: place)
        }
        return Central(
            name: name, flags: flags, method: method, checksum: checksum,
            compressedByteCount: Int(sizes.compressedByteCount), byteCount: Int(sizes.byteCount),
            localOffset: Int(sizes.localOffset))
    }

    private mutating func readName(_ byteCount: Int, _ what: String) throws(CheckpointError) -> String {
        let start = try reader.skip(byteCount, what)
        guard byteCount > 0, let name = reader.file.string(in: start..<start + byteCount) else {
            throw reader.malformed("the name of \(what) is empty or not valid UTF-8", at: start)
        }
        return name
    }

    private func requireSupported(
        _ name: String, flags: UInt16, method: UInt16, disk: UInt16
    ) throws(CheckpointError) {
        guard flags & (Flag.encrypted | Flag.stronglyEncrypted | Flag.maskedDirectory) == 0 else {
            throw unsupported("the record \(name.quoted) is encrypted")
        }
        guard flags & Flag.patch == 0 else { throw unsupported("the record \(name.quoted) is a patch") }
        guard method == Method.stored || method == Method.deflated else {
            throw unsupported("the record \(name.quoted) is compressed by method \(method), not stored or deflated")
        }
        guard disk == 0 || disk == .max else { throw unsupported("the record \(name.quoted) is on another disk") }
    }

    /// Takes the sizes that 32 bits do not hold from the extra fields.
    private func widen(_ sizes: inout Sizes, _ range: Range<Int>, _ name: String) throws(CheckpointError) {
        let limit = UInt64(UInt32.max)
        guard [sizes.byteCount, sizes.compressedByteCount, sizes.localOffset].contains(limit) else { return }
        guard var field = try field64(in: range, name) else {
            throw reader.malformed("the record \(name.quoted) lacks its 64-bit sizes", at: range.lowerBound)
        }
        if sizes.byteCount == limit { sizes.byteCount = try next(&field, name) }
        if sizes.compressedByteCount == limit { sizes.compressedByteCount = try next(&field, name) }
        if sizes.localOffset == limit { sizes.localOffset = try next(&field, name) }
    }

    private func next(_ field: inout Range<Int>, _ name: String) throws(CheckpointError) -> UInt64 {
        guard field.count >= 8 else {
            throw reader.malformed("the 64-bit sizes of the record \(name.quoted) are cut short", at: field.lowerBound)
        }
        var reader = ByteReader(reader.file, offset: field.lowerBound)
        field = field.lowerBound + 8..<field.upperBound
        return try reader.read(UInt64.self, "a size")
    }

    /// The extra field with 64-bit sizes.
    private func field64(in range: Range<Int>, _ name: String) throws(CheckpointError) -> Range<Int>? {
        var reader = ByteReader(reader.file, offset: range.lowerBound)
        while reader.offset + 4 <= range.upperBound {
            let kind = try reader.read(UInt16.self, "an extra field")
            let count = Int(try reader.read(UInt16.self, "an extra field"))
            guard count <= range.upperBound - reader.offset else {
                throw reader.malformed("an extra field of the record \(name.quoted) is cut short", at: reader.offset)
            }
            if kind == 1 { return reader.offset..<reader.offset + count }
            try reader.skip(count, "an extra field")
        }
        return nil
    }
}

// MARK: - Records

extension ZipReader {
    /// The entry with the place of its data, and all bytes that are the record's, from its header on.
    private func readLocal(
        _ central: Central, end: Int
    ) throws(CheckpointError) -> (entry: ZipEntry, extent: Range<Int>) {
        var reader = ByteReader(reader.file, offset: central.localOffset)
        let what = "the header of the record \(central.name.quoted)"
        guard try reader.read(UInt32.self, what) == Signature.local else {
            throw reader.malformed("\(what) is not where the directory puts it", at: central.localOffset)
        }
        try reader.skip(2, what)
        let (flags, method) = (try reader.read(UInt16.self, what), try reader.read(UInt16.self, what))
        try reader.skip(4, what)
        let checksum = try reader.read(UInt32.self, what)
        let (compressed, plain) = (try reader.read(UInt32.self, what), try reader.read(UInt32.self, what))
        let lengths = (Int(try reader.read(UInt16.self, what)), Int(try reader.read(UInt16.self, what)))
        let name = try reader.skip(lengths.0, what)
        let extra = try reader.skip(lengths.1, what)
        let start = reader.offset

        var sizes = Sizes(byteCount: UInt64(plain), compressedByteCount: UInt64(compressed), localOffset: 0)
        let isFollowed = central.flags & Flag.descriptor != 0
        if !isFollowed { try widen(&sizes, extra..<start, central.name) }
        let sizesAgree =
            isFollowed
            ? agree(checksum, central.checksum) && agree(compressed, central.compressedByteCount)
                && agree(plain, central.byteCount)
            : checksum == central.checksum && sizes.compressedByteCount == UInt64(central.compressedByteCount)
                && sizes.byteCount == UInt64(central.byteCount)
        guard flags & ~(1 << 11) == central.flags & ~(1 << 11), method == central.method, sizesAgree,
            reader.file.string(in: name..<name + lengths.0).map(ExactString.init) == ExactString(central.name)
        else { throw reader.malformed("\(what) and the archive's directory differ", at: central.localOffset) }
        try reader.skip(central.compressedByteCount, "the record \(central.name.quoted)")
        if isFollowed { try readDescriptor(&reader, central) }
        guard reader.offset <= end else {
            throw reader.malformed(
                "the record \(central.name.quoted) reaches into the archive's directory", at: central.localOffset)
        }
        let entry = ZipEntry(
            name: central.name, isDeflated: central.method == Method.deflated, checksum: central.checksum,
            compressedByteCount: central.compressedByteCount, byteCount: central.byteCount, dataOffset: start)
        return (entry, central.localOffset..<reader.offset)
    }

    /// What stands in a header before the data was written: nothing, the mark of 64-bit sizes, or the truth.
    private func agree(_ field: UInt32, _ value: some BinaryInteger) -> Bool {
        field == 0 || field == .max || UInt64(field) == UInt64(value)
    }

    /// Checksum and sizes behind the data, of 32 or 64 bits.
    private func readDescriptor(_ reader: inout ByteReader, _ central: Central) throws(CheckpointError) {
        let what = "the sizes behind the record \(central.name.quoted)"
        let place = reader.offset
        let start = (try reader.read(UInt32.self, what), try reader.read(UInt32.self, what))
        let expected = (UInt64(central.compressedByteCount), UInt64(central.byteCount))
        var narrow = reader
        let sizes = (try narrow.read(UInt32.self, what), try narrow.read(UInt32.self, what))
        guard start == (Signature.descriptor, central.checksum) else {
            throw reader.malformed("\(what) and the archive's directory differ", at: place)
        }
        if (UInt64(sizes.0), UInt64(sizes.1)) == expected {
            reader = narrow
        } else if (try reader.read(UInt64.self, what), try reader.read(UInt64.self, what)) != expected {
            throw reader.malformed("\(what) and the archive's directory differ", at: place)
        }
    }
}
