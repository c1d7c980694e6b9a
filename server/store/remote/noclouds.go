//go:build nobuckets

package remote

// bucketSchemes are none: the drivers of clouds are most of the program.
var bucketSchemes []string
