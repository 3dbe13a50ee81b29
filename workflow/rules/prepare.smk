rule synthesize:
    output:
        population=f"{DATA}/{{dataset}}/raw/population.csv",
    log:
        "logs/synthesize/{dataset}.log",
    benchmark:
        "logs/synthesize/{dataset}.benchmark.tsv"
    wildcard_constraints:
        dataset=state.rendered,
    conda:
        "../envs/gait.yaml"
    threads: RENDERING_THREADS
    resources:
        **state.resources("prepare"),
    params:
        raw=f"{DATA}/{{dataset}}/raw",
        population=get_population,
        renderer=RENDERER,
    shell:
        "exec logged.sh {log:q} gait synthesize"
        " {wildcards.dataset:q} --raw {params.raw:q} --processes {threads:q}"
        " --population {params.population:q}"


# What cannot be used stops the workflow here. Findings are no reason to prepare anything again.
rule check:
    input:
        raw=get_checked,
    output:
        findings=f"{DATA}/{{dataset}}/check.csv",
    log:
        "logs/check/{dataset}.log",
    benchmark:
        "logs/check/{dataset}.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: state.threads("prepare")
    resources:
        **state.resources("prepare"),
    params:
        root=get_root,
        state=get_checked_state,
    shell:
        "exec logged.sh {log:q} gait check"
        " {wildcards.dataset:q} --root {params.root:q} --output {output.findings:q}"


# Each shard's table is made by itself, for the state of that shard's own raw files: a replaced
# video redoes its shard only.
rule rearrange:
    input:
        raw=get_raw,
        findings=get_findings,
    output:
        shard=f"{DATA}/{{dataset}}/shards/{{shard}}.csv",
    log:
        "logs/rearrange/{dataset}/{shard}.log",
    benchmark:
        "logs/rearrange/{dataset}/{shard}.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: state.threads("prepare")
    resources:
        **state.resources("prepare"),
    params:
        raw=f"{DATA}/{{dataset}}/raw",
        shard_state=get_shard_state,
        layouts=get_layouts,
    shell:
        "gait rearrange {wildcards.dataset:q} --raw {params.raw:q} --shard {wildcards.shard:q}"
        " --output {output.shard:q} > {log:q} 2>&1"


rule merge_catalogue:
    input:
        shards=expand(
            "{data}/{{dataset}}/shards/{shard}.csv", data=DATA, shard=state.shards
        ),
    output:
        catalogue=f"{DATA}/{{dataset}}/sequences.csv",
    log:
        "logs/merge_catalogue/{dataset}.log",
    benchmark:
        "logs/merge_catalogue/{dataset}.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: state.threads("prepare")
    resources:
        **state.resources("prepare"),
    shell:
        "gait merge-catalogue {input.shards:q} --output {output.catalogue:q} > {log:q} 2>&1"


rule segment:
    input:
        shard=f"{DATA}/{{dataset}}/shards/{{shard}}.csv",
    output:
        silhouettes=f"{DATA}/{{dataset}}/shards/{{shard}}.silhouettes.csv",
    log:
        "logs/segment/{dataset}/{shard}.log",
    benchmark:
        "logs/segment/{dataset}/{shard}.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: state.threads("prepare")
    resources:
        **state.resources("prepare"),
    params:
        root=get_root,
        segmenter=json.dumps(config["segmenter"], sort_keys=True),
    shell:
        "exec logged.sh {log:q} gait segment"
        " {input.shard:q} --root {params.root:q} --output {output.silhouettes:q}"
        " --segmenter {params.segmenter:q}"


rule pretreat:
    input:
        silhouettes=get_silhouettes,
    output:
        pkl=f"{DATA}/{{dataset}}/shards/{{shard}}.pkl.csv",
    log:
        "logs/pretreat/{dataset}/{shard}.log",
    benchmark:
        "logs/pretreat/{dataset}/{shard}.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: state.threads("prepare")
    resources:
        **state.resources("prepare"),
    params:
        root=get_root,
        pretreatment=get_pretreatment,
    shell:
        "exec logged.sh {log:q} gait pretreat"
        " {input.silhouettes:q} --root {params.root:q} --output {output.pkl:q}"
        " {params.pretreatment:q}"


# A pkl tree without raw material, such as OpenGait's users have, is taken over as it is.
rule import_pkl:
    input:
        findings=f"{DATA}/{{dataset}}/check.csv",
    output:
        pkl=f"{DATA}/{{dataset}}/shards/imported.pkl.csv",
    log:
        "logs/import_pkl/{dataset}.log",
    benchmark:
        "logs/import_pkl/{dataset}.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: state.threads("prepare")
    resources:
        **state.resources("prepare"),
    params:
        root=get_root,
        pkl=get_pkl,
        pkl_state=get_pkl_state,
    shell:
        "exec logged.sh {log:q} gait import-pkl"
        " --root {params.root:q} --output {output.pkl:q} --pkl {params.pkl:q}"


# One array per modality lies beside the index, undeclared, as which ones is up to the data; whenever
# the index is there, they are.
rule pack:
    input:
        pkl=get_pkl_tables,
        catalogue=get_catalogue,
    output:
        manifest=f"{DATA}/{{dataset}}/manifest.csv",
        index=f"{DATA}/{{dataset}}/packed/index.csv",
    log:
        "logs/pack/{dataset}.log",
    benchmark:
        "logs/pack/{dataset}.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: state.threads("prepare")
    resources:
        **state.resources("prepare"),
    params:
        root=get_root,
        catalogue=lambda wildcards, input: [
            f"--catalogue={each}" for each in input.catalogue
        ],
    shell:
        "exec logged.sh {log:q} gait pack"
        " {input.pkl:q} --root {params.root:q} --manifest {output.manifest:q}"
        " {params.catalogue:q}"
