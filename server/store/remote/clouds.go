//go:build !nobuckets

package remote

import (
	_ "gocloud.dev/blob/gcsblob" // gs://
	_ "gocloud.dev/blob/s3blob"  // s3://
)

// bucketSchemes are the URLs of buckets that this program knows.
var bucketSchemes = []string{"s3", "gs"}
