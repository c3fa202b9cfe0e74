#!/bin/sh
# Marks the plain comments of a header for Doxygen: a comment behind code on its line belongs to
# what stands before it; any other one to what follows, and the first one to the file.
sed -e '1s|^/\* |/** @file\n * |' \
    -e 's|^\( *\)/\* \(clang-format .*\)|\1/*  \2|' \
    -e '2,$s|^\( *\)/\* \([^ ]\)|\1/** \2|' \
    -e 's|\([^ ].*[^ ]  *\)/\* \([^ ]\)|\1/**< \2|' "$1"
