import Glibc

/// What this process may use of the machine, container limits respected.
public enum HostResources {
    /// Cores granted by the affinity mask and by the control group's quota, at least 1.
    public static func grantedCoreCount() -> Int {
        var count = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        if let mask = field("Cpus_allowed", in: contents("/proc/self/status")) {
            let bits = mask.reduce(0) { $0 + ($1.hexDigitValue?.nonzeroBitCount ?? 0) }
            if bits > 0 { count = min(count, bits) }
        }
        if let quota = controlGroupCoreQuota() { count = min(count, max(1, Int(quota.rounded(.up)))) }
        return count
    }

    /// Bytes of memory that can be taken now: what the system calls available, or what is left under the control
    /// group's limit where that is less.
    public static func availableMemoryByteCount() -> Int {
        let available = memoryInfo("MemAvailable") ?? (Int(1) << 30)
        guard let limit = controlGroupMemoryLimit() else { return available }
        return min(available, max(0, limit - residentByteCount()))
    }

    /// Bytes of memory of the machine, or of the control group where that is less.
    public static func totalMemoryByteCount() -> Int {
        let total = memoryInfo("MemTotal") ?? (Int(1) << 30)
        return min(total, controlGroupMemoryLimit() ?? total)
    }

    /// Bytes of this process that are in memory now.
    public static func residentByteCount() -> Int { processStatus("VmRSS") ?? 0 }

    /// The most bytes of this process that were in memory at any time.
    public static func peakResidentByteCount() -> Int { processStatus("VmHWM") ?? 0 }

    /// Bytes of the largest cache that the first core sees; 32 MiB where the system does not say.
    public static func lastLevelCacheByteCount() -> Int {
        let sizes = (0..<5).compactMap { index -> Int? in
            guard let text = contents("/sys/devices/system/cpu/cpu0/cache/index\(index)/size") else { return nil }
            // For instance 32768K.
            let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
            let digits = text.prefix(while: \.isNumber)
            return Int(digits).map { $0 * (text.dropFirst(digits.count).first.flatMap { units[$0] } ?? 1) }
        }
        return sizes.max() ?? 32 << 20
    }

    /// The processor's name, as the kernel gives it.
    public static func processorName() -> String {
        field("model name", in: contents("/proc/cpuinfo")) ?? "unknown"
    }

    private static func controlGroupCoreQuota() -> Double? {
        if let words = contents("/sys/fs/cgroup/cpu.max")?.split(whereSeparator: \.isWhitespace), words.count == 2 {
            guard let quota = Double(words[0]), let period = Double(words[1]), period > 0 else { return nil }
            return quota / period
        }
        guard let quota = number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), quota > 0,
            let period = number("/sys/fs/cgroup/cpu/cpu.cfs_period_us"), period > 0
        else { return nil }
        return Double(quota) / Double(period)
    }

    private static func controlGroupMemoryLimit() -> Int? {
        number("/sys/fs/cgroup/memory.max") ?? number("/sys/fs/cgroup/memory/memory.limit_in_bytes")
    }

    private static func memoryInfo(_ name: String) -> Int? { kilobytes(name, in: contents("/proc/meminfo")) }

    private static func processStatus(_ name: String) -> Int? { kilobytes(name, in: contents("/proc/self/status")) }

    private static func kilobytes(_ name: String, in text: String?) -> Int? {
        guard let value = field(name, in: text)?.split(separator: " ").first, let count = Int(value) else { return nil }
        return count * 1024
    }

    private static func number(_ path: String) -> Int? {
        contents(path).flatMap { Int($0.split(whereSeparator: \.isWhitespace).first ?? "") }
    }

    private static func field(_ name: String, in text: String?) -> String? {
        for line in text?.split(separator: "\n") ?? [] {
            guard line.hasPrefix(name), let colon = line.firstIndex(of: ":") else { continue }
            return String(line[line.index(after: colon)...].drop(while: \.isWhitespace))
        }
        return nil
    }

    /// The text of one of the kernel's small files, or nil where there is none.
    private static func contents(_ path: String) -> String? {
        guard let file = unsafe fopen(path, "r") else { return nil }
        defer { unsafe fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
