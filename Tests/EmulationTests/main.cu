// Runs every test, or those whose names hold the first argument, each on a device that was reset.
#include "check.h"

namespace {
struct Entry {
    const char *name;
    void (*body)();
};
std::vector<Entry> &tests() {
    static std::vector<Entry> all;
    return all;
}
int failureCount = 0;
} // namespace

Test::Test(const char *name, void (*body)()) { tests().push_back({name, body}); }

void note_failure(const char *file, int line, const char *condition, const std::string &detail) {
    ++failureCount;
    std::fprintf(stderr, "%s:%d: failed: %s (%s)\n", file, line, condition, detail.c_str());
}

int main(int argumentCount, char **arguments) {
    const char *wanted = argumentCount > 1 ? arguments[1] : "";
    int runCount = 0;
    for (const Entry &test : tests()) {
        if (std::strstr(test.name, wanted) == nullptr) continue;
        emulation_device()->reset();
        configure(plain_options());
        const int before = failureCount;
        test.body();
        ++runCount;
        std::printf("%s %s\n", failureCount == before ? "passed" : "FAILED", test.name);
        std::fflush(stdout);
    }
    std::printf("%d tests, %d failed checks\n", runCount, failureCount);
    return failureCount != 0 || runCount == 0;
}
