#!/usr/bin/env bash
# Makes what a release consists of, in dist/: for amd64 and arm64 a package for Debian, an archive for every other Linux and a
# bill of materials, and SHA256SUMS of all. The same commit gives the same bytes, wherever the clone lies.
#
#	tools/dist.sh                  # both architectures
#	ARCHS=amd64 tools/dist.sh      # one of them
#
# VERSION is the commit's tag, or says which commit it is where there is none. Needs Go, git, dpkg-deb, and for each
# architecture its gcc (gcc-aarch64-linux-gnu has the one for arm64).
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/local/go/bin
umask 022
export LC_ALL=C TZ=UTC

out=${OUT:-dist}
commit=$(git rev-parse HEAD)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
date=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%d)
tag=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null || true)
version=${VERSION:-${tag:+${tag#v}}}
version=${version:-0.1.0~git${date//-/}.${commit:0:12}}
[[ -z $(git status --porcelain) ]] || { echo "dist: there are changes that are not committed" >&2; exit 1; }

host=$(dpkg --print-architecture)
declare -A triplet=([amd64]=x86_64-linux-gnu [arm64]=aarch64-linux-gnu)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
rm -rf "$out"
mkdir -p "$out"

# build writes the program of an architecture. It needs libc alone: the Vulkan loader is opened when it runs.
build() {
	local cc=${triplet[$1]}-gcc
	command -v "$cc" >/dev/null || { echo "dist: $cc is needed and not found (apt-get install gcc-${triplet[$1]//_/-})" >&2; exit 1; }
	CGO_ENABLED=1 GOOS=linux GOARCH=$1 GOFLAGS= CC=$cc go build -trimpath -buildvcs=false -o "$2" \
		-ldflags "-s -w -buildid= -linkmode external -extldflags '-Wl,--build-id=none -Wl,-z,relro,-z,now' -X main.release=$version -X main.commit=$commit -X main.date=$date" ./cmd/mmrun
}

# share fills a folder as /usr is: the manual page and completions are those that the program of this machine prints.
share() {
	local to=$1 doc=$1/share/doc/mmrun
	install -d "$to"/share/man/man1 "$to"/share/bash-completion/completions "$to"/share/zsh/vendor-completions "$to"/share/fish/vendor_completions.d "$doc"
	"$scratch/host" man | gzip -9n >"$to/share/man/man1/mmrun.1.gz"
	"$scratch/host" completion bash >"$to/share/bash-completion/completions/mmrun"
	"$scratch/host" completion zsh >"$to/share/zsh/vendor-completions/_mmrun"
	"$scratch/host" completion fish >"$to/share/fish/vendor_completions.d/mmrun.fish"
	for model in novels-twin novels-mamba; do
		install -d "$to/share/mmrun/models/$model"
		install -m 644 models/$model/{config.json,model.safetensors,tokenizer.json} "$to/share/mmrun/models/$model/"
	done
	install -m 644 README.md docs/using.md docs/serve.md docs/grammar.md docs/files.md docs/gguf.md docs/experiments.md "$doc/"
	gzip -9n <CHANGELOG.md >"$doc/changelog.gz"
	{
		printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: mmrun\n\nFiles: *\n'
		printf 'Copyright: %s\nLicense: Expat\n' "$(sed -n 's/^Copyright (c) //p' LICENSE)"
		sed -n '/^Permission/,$p' LICENSE | sed 's/^$/./; s/^/ /'
	} >"$doc/copyright"
}

# package makes the .deb of an architecture out of a folder as /usr is.
package() {
	local arch=$1 root=$scratch/deb-$1
	install -d "$root/DEBIAN"
	cp -a "$2" "$root/usr"
	cat >"$root/DEBIAN/control" <<-END
		Package: mmrun
		Version: $version
		Architecture: $arch
		Maintainer: The authors of mmrun <mmrun@localhost>
		Section: science
		Priority: optional
		Installed-Size: $(du -sk --apparent-size "$root/usr" | cut -f1)
		Depends: libc6 (>= 2.34), libvulkan1
		Recommends: mesa-vulkan-drivers, ca-certificates
		Description: language models of the Mamba family on Vulkan
		 mmrun runs Mamba, Mamba-2, FalconMamba and MemMamba models on any GPU with a
		 Vulkan driver, or on the CPU through Mesa's lavapipe. It reads Hugging Face
		 folders and GGUF files, writes text, and answers OpenAI's API over HTTP.
		 .
		 A small model is part of the program. Two others lie in
		 /usr/share/mmrun/models, to compare with it.
	END
	(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
	find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	dpkg-deb -Zgzip -z9 --root-owner-group --build "$root" "$out/mmrun_${version}_$arch.deb" >/dev/null
}

build "$host" "$scratch/host"
for arch in ${ARCHS:-amd64 arm64}; do
	name=mmrun-$version-linux-$arch
	install -d "$scratch/$name/bin"
	if [[ $arch == "$host" ]]; then cp "$scratch/host" "$scratch/$name/bin/mmrun"; else build "$arch" "$scratch/$name/bin/mmrun"; fi
	chmod 755 "$scratch/$name/bin/mmrun"
	share "$scratch/$name"
	go run ./tools/sbom --name mmrun --version "$version" --time "$SOURCE_DATE_EPOCH" "$scratch/$name/bin/mmrun" >"$out/$name.cdx.json"
	package "$arch" "$scratch/$name"
	cp LICENSE "$scratch/$name/"
	tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$scratch" -c "$name" | gzip -9n >"$out/$name.tar.gz"
done
(cd "$out" && sha256sum mmrun* >SHA256SUMS)
ls -l "$out"
