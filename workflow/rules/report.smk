rule report:
    input:
        config=f"{TESTED}/config.yaml",
        metrics=f"{TESTED}/metrics.json",
    output:
        table=report(
            f"{TESTED}/report.csv",
            caption="../report/table.rst",
            category="{dataset}",
            subcategory="{model}/{save_name}{on}",
            labels={"what": "metrics"},
        ),
        views=report(
            f"{TESTED}/views.csv",
            caption="../report/views.rst",
            category="{dataset}",
            subcategory="{model}/{save_name}{on}",
            labels={"what": "rank-1 by pair of views"},
        ),
        figures=report(
            directory(f"{TESTED}/figures"),
            patterns=["{figure}.svg"],
            caption="../report/figure.rst",
            category="{dataset}",
            subcategory="{model}/{save_name}{on}",
            labels={"what": "{figure}"},
        ),
    log:
        "logs/report/{dataset}/{model}/{save_name}{on}.log",
    benchmark:
        "logs/report/{dataset}/{model}/{save_name}{on}.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: state.threads("report")
    resources:
        **state.resources("report"),
    shell:
        "gait report {input.config:q} --metrics {input.metrics:q} --report {output.table:q}"
        " --views {output.views:q} --figures {output.figures:q} > {log:q} 2>&1"


# What the organisers of a challenge score; a dataset's protocols of that kind name the files.
rule submit:
    input:
        metrics=get_submitted,
    output:
        submission=f"{TESTED}/{{submission}}.csv",
    log:
        "logs/submit/{dataset}/{model}/{save_name}{on}/{submission}.log",
    benchmark:
        "logs/submit/{dataset}/{model}/{save_name}{on}/{submission}.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: state.threads("report")
    resources:
        **state.resources("report"),
    shell:
        "gait submit {input.metrics:q} --protocol {wildcards.submission:q}"
        " --output {output.submission:q} > {log:q} 2>&1"


rule merge_experiments:
    input:
        reports=get_reports,
        submissions=get_submissions,
    output:
        table=report(
            "results/{dataset}/{model}/report.csv",
            caption="../report/table.rst",
            category="{dataset}",
            subcategory="{model}",
            labels={"what": "every experiment"},
        ),
    log:
        "logs/merge/{dataset}/{model}.log",
    benchmark:
        "logs/merge/{dataset}/{model}.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: state.threads("report")
    resources:
        **state.resources("report"),
    params:
        notes=get_notes,
    shell:
        "gait merge-tables {input.reports:q} --output {output.table:q} {params.notes:q}"
        " > {log:q} 2>&1"


rule merge_models:
    input:
        reports=get_model_reports,
    output:
        table=report(
            "results/{dataset}/report.csv",
            caption="../report/table.rst",
            category="{dataset}",
            labels={"what": "every model"},
        ),
    log:
        "logs/merge/{dataset}.log",
    benchmark:
        "logs/merge/{dataset}.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: state.threads("report")
    resources:
        **state.resources("report"),
    shell:
        "gait merge-tables {input.reports:q} --output {output.table:q} > {log:q} 2>&1"


rule matrix:
    input:
        metrics=get_matrix_metrics,
    output:
        table=report(
            MATRIX,
            caption="../report/matrix.rst",
            category="Across datasets and seeds",
            labels={"what": "matrix"},
        ),
    log:
        "logs/matrix.log",
    benchmark:
        "logs/matrix.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: state.threads("report")
    resources:
        **state.resources("report"),
    params:
        notes=get_matrix_notes,
    shell:
        "gait matrix {input.metrics:q} --output {output.table:q} {params.notes:q}"
        " > {log:q} 2>&1"


# What became of the frames, and how the silhouettes look.
rule quality:
    input:
        manifest=f"{DATA}/{{dataset}}/manifest.csv",
        index=f"{DATA}/{{dataset}}/packed/index.csv",
    output:
        page=report(
            "results/{dataset}/quality.html",
            caption="../report/quality.rst",
            category="{dataset}",
            labels={"what": "quality of the data"},
        ),
        table=report(
            "results/{dataset}/quality.csv",
            caption="../report/quality.rst",
            category="{dataset}",
            labels={"what": "frames and sequences by reason, view and length"},
        ),
    log:
        "logs/quality/{dataset}.log",
    benchmark:
        "logs/quality/{dataset}.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: state.threads("report")
    resources:
        **state.resources("report"),
    params:
        root=get_root,
    shell:
        "gait quality {wildcards.dataset:q} --root {params.root:q} --table {output.table:q}"
        " --output {output.page:q} > {log:q} 2>&1"


rule html_report:
    input:
        reports=get_page_reports,
        matrix=state.page_matrix(),
        qualities=get_page_qualities,
    output:
        page="results/report.html",
    log:
        "logs/html_report.log",
    benchmark:
        "logs/html_report.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: state.threads("report")
    resources:
        **state.resources("report"),
    params:
        matrix=[f"--matrix={each}" for each in state.page_matrix()],
        qualities=lambda wildcards, input: [
            f"--quality={each}" for each in input.qualities
        ],
    shell:
        "gait html-report {input.reports:q} {params.matrix:q} {params.qualities:q} --output {output.page:q}"
        " > {log:q} 2>&1"
