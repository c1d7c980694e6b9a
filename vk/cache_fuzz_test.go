package vk

import (
	"encoding/binary"
	"hash/crc64"
	"testing"
)

// FuzzCache gives the check of cache files what is made at random, sealed with the right checksum so that it gets as far as a
// header: what it lets through has a driver's header of this device.
func FuzzCache(f *testing.F) {
	uuid := noise(16, 1)
	good := cacheFile(1, 2, uuid, []byte("pipelines"))
	f.Add(good[cachePrefix:], true)
	f.Add(good, false)
	f.Add(good[cachePrefix:cachePrefix+cacheHeader-1], true)
	f.Fuzz(func(t *testing.T, data []byte, sealed bool) {
		if sealed {
			data = append(binary.LittleEndian.AppendUint64([]byte(cacheMagic), crc64.Checksum(data, cacheTable)), data...)
		}
		got, err := checkCache(data, 1, 2, uuid)
		if err == nil && (len(got) < cacheHeader || string(got[16:32]) != string(uuid)) {
			t.Errorf("%d bytes are let through", len(got))
		}
	})
}
