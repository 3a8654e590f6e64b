#include "kernel_symbol.h"

#include "failure.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <map>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace emulation {

namespace {

// The loaded file that holds this code, and with it the kernels.
struct LoadedFile {
    std::uintptr_t base = 0;
    std::string path;
    SharedSegment threadLocal; // of the calling thread
};

int find_this_file(dl_phdr_info *info, std::size_t, void *result) {
    const auto here = reinterpret_cast<std::uintptr_t>(&find_this_file);
    SharedSegment threadLocal;
    bool isThisFile = false;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const ElfW(Phdr) &header = info->dlpi_phdr[i];
        const std::uintptr_t start = info->dlpi_addr + header.p_vaddr;
        if (header.p_type == PT_LOAD && here >= start && here < start + header.p_memsz) isThisFile = true;
        if (header.p_type == PT_TLS)
            threadLocal = {static_cast<char *>(info->dlpi_tls_data), std::size_t(header.p_memsz)};
    }
    if (!isThisFile) return 0;
    const bool isProgram = info->dlpi_name == nullptr || info->dlpi_name[0] == 0;
    *static_cast<LoadedFile *>(result) = {info->dlpi_addr, isProgram ? "/proc/self/exe" : info->dlpi_name, threadLocal};
    return 1;
}

LoadedFile this_file() {
    LoadedFile file;
    dl_iterate_phdr(find_this_file, &file);
    return file;
}

// The file's bytes, mapped while this lives.
class MappedFile {
  public:
    explicit MappedFile(const std::string &path) {
        const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        struct stat status {};
        if (descriptor < 0) return;
        if (fstat(descriptor, &status) == 0) {
            void *range = mmap(nullptr, std::size_t(status.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0);
            if (range != MAP_FAILED) {
                bytes = static_cast<const char *>(range);
                byteCount = std::size_t(status.st_size);
            }
        }
        close(descriptor);
    }
    ~MappedFile() {
        if (bytes != nullptr) munmap(const_cast<char *>(bytes), byteCount);
    }
    MappedFile(const MappedFile &) = delete;
    MappedFile &operator=(const MappedFile &) = delete;

    const char *bytes = nullptr;
    std::size_t byteCount = 0;
};

struct Symbol {
    std::uintptr_t value;
    std::size_t byteCount;
    bool isThreadLocal;
    std::string mangledName;
};

// Functions and thread-local variables of the file that this code came from. The loader mapped that very file, so its
// headers are taken as sound.
std::vector<Symbol> read_symbols() {
    std::vector<Symbol> symbols;
    const MappedFile file(this_file().path);
    if (file.bytes == nullptr) return symbols;
    const auto *header = reinterpret_cast<const ElfW(Ehdr) *>(file.bytes);
    const auto *sections = reinterpret_cast<const ElfW(Shdr) *>(file.bytes + header->e_shoff);
    for (int i = 0; i < header->e_shnum; ++i) {
        if (sections[i].sh_type != SHT_SYMTAB) continue;
        const auto *table = reinterpret_cast<const ElfW(Sym) *>(file.bytes + sections[i].sh_offset);
        const char *names = file.bytes + sections[sections[i].sh_link].sh_offset;
        for (std::size_t place = 0; place < sections[i].sh_size / sizeof *table; ++place) {
            const int type = table[place].st_info & 0xf; // the same for 32 and 64 bit
            if ((type != STT_FUNC && type != STT_TLS) || table[place].st_shndx == SHN_UNDEF) continue;
            symbols.push_back(
                {table[place].st_value, table[place].st_size, type == STT_TLS, names + table[place].st_name});
        }
    }
    return symbols;
}

const std::vector<Symbol> &symbols() {
    static const auto &all = *new std::vector<Symbol>(read_symbols());
    return all;
}

std::string demangled(const std::string &mangledName) {
    int status = 0;
    char *name = abi::__cxa_demangle(mangledName.c_str(), nullptr, nullptr, &status);
    if (name == nullptr) return mangledName;
    std::string result = name;
    std::free(name);
    const std::string anonymous = "(anonymous namespace)::", result_type = "void ";
    for (auto at = result.find(anonymous); at != std::string::npos; at = result.find(anonymous))
        result.erase(at, anonymous.size());
    // The parameters go, and the result's type, which only templates name.
    int depth = 0;
    for (std::size_t at = 0; at < result.size(); ++at) {
        depth += (result[at] == '<') - (result[at] == '>');
        if (result[at] == '(' && depth == 0) result.resize(at);
    }
    if (result.rfind(result_type, 0) == 0) result.erase(0, result_type.size());
    return result;
}

KernelSymbol look_up(const void *kernel) {
    const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(kernel) - this_file().base;
    KernelSymbol result;
    const auto function = std::find_if(symbols().begin(), symbols().end(), [offset](const Symbol &symbol) {
        return !symbol.isThreadLocal && symbol.value == offset;
    });
    if (function == symbols().end()) {
        result.name = formatted("kernel at %p", kernel);
        return result;
    }
    result.name = demangled(function->mangledName);
    // The Itanium C++ ABI names a function's local variable _ZZ<function>E<variable>.
    const std::string &name = function->mangledName;
    const std::string encoding = name.rfind("_Z", 0) == 0 ? name.substr(2) : std::to_string(name.size()) + name;
    const std::string prefix = "_ZZ" + encoding + "E";
    for (const Symbol &symbol : symbols()) {
        if (!symbol.isThreadLocal || symbol.mangledName.rfind(prefix, 0) != 0) continue;
        result.sharedArrays.push_back({symbol.value, symbol.byteCount});
        result.sharedByteCount += symbol.byteCount;
    }
    return result;
}

} // namespace

const KernelSymbol &kernel_symbol(const void *kernel) {
    static auto &known = *new std::map<const void *, KernelSymbol>;
    const auto found = known.find(kernel);
    return found != known.end() ? found->second : known.emplace(kernel, look_up(kernel)).first->second;
}

SharedSegment shared_segment() { return this_file().threadLocal; }

} // namespace emulation
