#include "ckernels_loader.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static void say_why(const char *path, char *message, int64_t size) {
    const char *text = dlerror();
    snprintf(message, (size_t)size, "%s", text ? text : path);
}

// Every member behind the first two is a function.
static int has_every_function(const ck_api *api) {
    const char *begin = (const char *)api + 2 * sizeof(int32_t), *end = (const char *)(api + 1);
    for (; begin < end; begin += sizeof(void *)) {
        void *function;
        memcpy(&function, begin, sizeof function);
        if (!function) return 0;
    }
    return 1;
}

const ck_api *ck_open_library(const char *path, char *message, int64_t size) {
    message[0] = 0;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        say_why(path, message, size);
        return 0;
    }
    ck_get_api_function get_api;
    void *symbol = dlsym(library, "ck_get_api");
    if (!symbol) {
        snprintf(message, (size_t)size, "%s is no kernel library: it does not export ck_get_api", path);
        return 0;
    }
    memcpy(&get_api, &symbol, sizeof get_api);
    const ck_api *api = get_api(CK_ABI_VERSION);
    if (!api) {
        snprintf(message, (size_t)size, "%s is of another version: this program needs version %d of its table", path,
                 CK_ABI_VERSION);
        return 0;
    }
    if (api->abi_version != CK_ABI_VERSION || api->struct_size != (int32_t)sizeof(ck_api) || !has_every_function(api)) {
        snprintf(message, (size_t)size, "%s has a table of %d bytes in version %d; this program needs %d bytes in %d", path,
                 api->struct_size, api->abi_version, (int)sizeof(ck_api), CK_ABI_VERSION);
        return 0;
    }
    return api;
}

const emulation_api *ck_emulation(const char *path) {
    const emulation_api *(*get_api)(uint32_t);
    void *library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    void *symbol = library ? dlsym(library, "emulation_get_api") : 0;
    if (!symbol) return 0;
    memcpy(&get_api, &symbol, sizeof get_api);
    return get_api(EMULATION_ABI_VERSION);
}

int32_t ck_preload(const char *path, char *message, int64_t size) {
    message[0] = 0;
    if (dlopen(path, RTLD_NOW | RTLD_GLOBAL)) return 0;
    say_why(path, message, size);
    return 1;
}
