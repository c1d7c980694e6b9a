module example.com/hello

go 1.26.0

require github.com/mmrun/mmrun v0.0.0

require (
	github.com/dlclark/regexp2 v1.11.5 // indirect
	github.com/goki/vulkan v1.0.8 // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace github.com/mmrun/mmrun => ../..
