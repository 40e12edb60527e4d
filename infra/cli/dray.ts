#!/usr/bin/env node
console.log(process.version, process.argv[2] as string)
