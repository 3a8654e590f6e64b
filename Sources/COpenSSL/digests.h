// The digests of OpenSSL's libcrypto; nothing else of it is used.
#ifndef STRAIGHTEDGE_COPENSSL_H
#define STRAIGHTEDGE_COPENSSL_H

#include <openssl/evp.h>

#endif
