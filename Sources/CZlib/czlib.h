// zlib with constant input: what is inflated lies in files that are mapped read-only.
#ifndef STRAIGHTEDGE_CZLIB_H
#define STRAIGHTEDGE_CZLIB_H

#define ZLIB_CONST
#include <zlib.h>

#endif
